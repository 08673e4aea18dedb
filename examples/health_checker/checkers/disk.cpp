#include "checkers/disk.hpp"

#include "checkers/kinds.hpp"
#include "checkers/text.hpp"

#include <sys/statvfs.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace health {
namespace {

double percent_of(std::uint64_t part, std::uint64_t whole) {
  return whole == 0 ? 0 : 100 * static_cast<double>(part) / static_cast<double>(whole);
}

}  // namespace

DiskFacts look_at_disk(const char* path) {
  struct statvfs found {};
  if (::statvfs(path, &found) != 0) return {.error = errno};
  // Some network file systems report more free than there is.
  const std::uint64_t used = found.f_blocks - std::min(found.f_bfree, found.f_blocks);
  return {.error = 0,
          .used = used * found.f_frsize,
          .available = found.f_bavail * found.f_frsize,
          .inodes = found.f_files,
          .inodes_available = std::min(found.f_favail, found.f_files)};
}

DiskChecker::DiskChecker(DiskOptions options, DiskFacts (*look)(const char*),
                         ChildCall::Where where)
    : options_(std::move(options)), look_(look), call_(where) {}

CheckResult DiskChecker::check(std::stop_token) {
  const std::optional<DiskFacts> facts = call_.run(look_, options_.path);
  if (facts) return judge(*facts);
  return verdict(Status::critical,
                 "the file system does not answer since " +
                     duration_text(std::chrono::steady_clock::now() - call_.hangs_since()));
}

CheckResult DiskChecker::judge(const DiskFacts& facts) const {
  if (facts.error != 0) {
    return verdict(Status::unknown, options_.path + ": " + error_text(facts.error));
  }
  const double used = percent_of(facts.used, facts.used + facts.available);
  const double inodes = percent_of(facts.inodes - facts.inodes_available, facts.inodes);
  const Status inode_status = options_.inodes_used.grade(inodes);
  CheckResult result =
      verdict(worse(options_.used.grade(used), inode_status),
              number_text(used, 0) + "% used, " + bytes_text(facts.available) + " free",
              {{"used", used, "%"}, {"free", static_cast<double>(facts.available), "B"}});
  if (facts.inodes != 0) result.figures.push_back({"inodes_used", inodes, "%"});
  if (inode_status != Status::ok) {
    result.message += ", " + number_text(inodes, 0) + "% of the inodes used";
  }
  return result;
}

std::unique_ptr<BaseChecker> make_disk(Settings& settings) {
  DiskOptions options;
  options.path = settings.required_text("path");
  const auto read = [&](const std::string& prefix, Ceiling& ceiling) {
    ceiling.warning = settings.percent(prefix + "warning", ceiling.warning);
    ceiling.critical = settings.percent(prefix + "critical", ceiling.critical);
    if (ceiling.warning > ceiling.critical) {
      settings.error_at(prefix + "warning", "'" + prefix + "warning' must not be above '" + prefix +
                                                "critical': both are used shares");
    }
  };
  read("", options.used);
  read("inode_", options.inodes_used);
  return std::make_unique<DiskChecker>(std::move(options));
}

}  // namespace health
