#pragma once
// The kinds of checks: each make_ function reads the keys of its kind and returns its checker.
//
// What is wrong with the keys is recorded in `settings`; the checker that is returned then must not
// be run. The keys and their defaults stand in each kind's header, at its Options.

#include "base_checker.hpp"
#include "settings.hpp"

#include <memory>

namespace health {

std::unique_ptr<BaseChecker> make_tcp(Settings& settings);
std::unique_ptr<BaseChecker> make_http(Settings& settings);
std::unique_ptr<BaseChecker> make_tls(Settings& settings);
std::unique_ptr<BaseChecker> make_process(Settings& settings);
std::unique_ptr<BaseChecker> make_file(Settings& settings);
std::unique_ptr<BaseChecker> make_disk(Settings& settings);
std::unique_ptr<BaseChecker> make_memory(Settings& settings);
std::unique_ptr<BaseChecker> make_load(Settings& settings);
std::unique_ptr<BaseChecker> make_command(Settings& settings);
std::unique_ptr<BaseChecker> make_log(Settings& settings);
std::unique_ptr<BaseChecker> make_port(Settings& settings);

}  // namespace health
