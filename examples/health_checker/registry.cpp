#include "registry.hpp"

#include "checkers/kinds.hpp"

#include <algorithm>

namespace health {
namespace {

constexpr Kind kinds[] = {
    {"command", &make_command}, {"disk", &make_disk}, {"file", &make_file},
    {"http", &make_http},       {"load", &make_load}, {"log", &make_log, 1},
    {"memory", &make_memory},   {"port", &make_port}, {"process", &make_process},
    {"tcp", &make_tcp},         {"tls", &make_tls},
};

}  // namespace

std::span<const Kind> all_kinds() noexcept { return kinds; }

const Kind* find_kind(std::string_view name) noexcept {
  const auto* const found = std::ranges::find(kinds, name, &Kind::name);
  return found == std::end(kinds) ? nullptr : found;
}

}  // namespace health
