#include "rouse/service/autowait.hpp"

#include "service/wait_loop.hpp"

#include <utility>

namespace rouse {
namespace {

using detail::Deadline;
using detail::WaitLoop;
using Until = WaitLoop::Until;

WaitStatus wait_for_one(const Condition& condition, WaitTime timeout, const std::stop_token& stop) {
  return WaitLoop({&condition, 1}, Until::any, Deadline::after(timeout.nanoseconds()), stop).run();
}

}  // namespace

AnyReady wait_until_any(std::span<const Condition> conditions, WaitOptions options,
                        std::stop_token stop) {
  WaitLoop loop(conditions, Until::any, Deadline::after(options.timeout.nanoseconds()), stop);
  AnyReady result{loop.run(), 0};
  if (result.status == WaitStatus::ready) {
    while (!loop.held(result.index)) ++result.index;
  }
  return result;
}

AllReady wait_until_all(std::span<const Condition> conditions, WaitOptions options,
                        std::stop_token stop) {
  WaitLoop loop(conditions, Until::all, Deadline::after(options.timeout.nanoseconds()), stop);
  AllReady result{loop.run(), {}};
  for (std::size_t i = 0; i < conditions.size(); ++i) {
    if (!loop.held(i)) result.missing.push_back(i);
  }
  return result;
}

WaitStatus wait_until(const Condition& condition, WaitOptions options, std::stop_token stop) {
  return wait_for_one(condition, options.timeout, stop);
}

WaitStatus wait_until(std::function<bool()> predicate, PredicateOptions options,
                      std::stop_token stop) {
  return wait_for_one(until::holds(std::move(predicate), options), options.timeout, stop);
}

// --- files
// -----------------------------------------------------------------------------------------

FileFound wait_until_file_exists(std::string directory, std::string glob, FileOptions options,
                                 std::stop_token stop) {
  const auto file = until::file_exists(std::move(directory), std::move(glob), options);
  const WaitStatus status = wait_for_one(file, options.timeout, stop);
  return {status, file.path()};
}

WaitStatus wait_until_file_gone(std::string path, FileOptions options, std::stop_token stop) {
  return wait_for_one(until::file_gone(std::move(path), options), options.timeout, stop);
}

WaitStatus wait_until_file_changed(std::string path, FileOptions options, std::stop_token stop) {
  return wait_for_one(until::file_changed(std::move(path), options), options.timeout, stop);
}

WaitStatus wait_until_file_stable(std::string path, WaitTime quiet_time, FileOptions options,
                                  std::stop_token stop) {
  return wait_for_one(until::file_stable(std::move(path), quiet_time, options), options.timeout,
                      stop);
}

LineFound wait_until_line_matches(std::string file, std::string pattern, LineOptions options,
                                  std::stop_token stop) {
  const auto line = until::line_matches(std::move(file), std::move(pattern), options);
  const WaitStatus status = wait_for_one(line, options.timeout, stop);
  return {status, line.line(), line.groups()};
}

// --- processes
// -------------------------------------------------------------------------------------

ProcessFound wait_until_process_exists(std::string path, ProcessOptions options,
                                       std::stop_token stop) {
  const auto process = until::process_exists(std::move(path), options);
  const WaitStatus status = wait_for_one(process, options.timeout, stop);
  return {status, process.process()};
}

ProcessFound wait_until_process_exists(ProcessPredicate predicate, ProcessOptions options,
                                       std::stop_token stop) {
  const auto process = until::process_exists(std::move(predicate), options);
  const WaitStatus status = wait_for_one(process, options.timeout, stop);
  return {status, process.process()};
}

WaitStatus wait_until_process_gone(::pid_t pid, ProcessOptions options, std::stop_token stop) {
  return wait_for_one(until::process_gone(pid, options), options.timeout, stop);
}

WaitStatus wait_until_process_gone(const ProcessInfo& process, ProcessOptions options,
                                   std::stop_token stop) {
  return wait_for_one(until::process_gone(process, options), options.timeout, stop);
}

WaitStatus wait_until_process_gone(std::string path, ProcessOptions options, std::stop_token stop) {
  return wait_for_one(until::process_gone(std::move(path), options), options.timeout, stop);
}

// --- ports
// -----------------------------------------------------------------------------------------

WaitStatus wait_until_port_used(int port, PortOptions options, std::stop_token stop) {
  return wait_for_one(until::port_used(port, options), options.timeout, stop);
}

WaitStatus wait_until_port_free(int port, PortOptions options, std::stop_token stop) {
  return wait_for_one(until::port_free(port, options), options.timeout, stop);
}

ProcessFound wait_until_process_uses_ports(std::string path, std::vector<int> ports,
                                           PortOptions options, std::stop_token stop) {
  const auto process = until::process_uses_ports(std::move(path), std::move(ports), options);
  const WaitStatus status = wait_for_one(process, options.timeout, stop);
  return {status, process.process()};
}

ProcessFound wait_until_process_uses_ports(::pid_t pid, std::vector<int> ports, PortOptions options,
                                           std::stop_token stop) {
  const auto process = until::process_uses_ports(pid, std::move(ports), options);
  const WaitStatus status = wait_for_one(process, options.timeout, stop);
  return {status, process.process()};
}

namespace {

WaitStatus wait_until_killed(Condition process, const std::vector<int>& ports,
                             const PortOptions& options, const std::stop_token& stop) {
  std::vector<Condition> all{std::move(process)};
  for (const int port : ports) all.push_back(until::port_free(port, options));
  return wait_until_all(all, {options.timeout}, stop);
}

}  // namespace

WaitStatus wait_until_process_killed(std::string path, std::vector<int> ports, PortOptions options,
                                     std::stop_token stop) {
  const ProcessOptions process{options.timeout, options.interval};
  return wait_until_killed(until::process_gone(std::move(path), process), ports, options, stop);
}

WaitStatus wait_until_process_killed(::pid_t pid, std::vector<int> ports, PortOptions options,
                                     std::stop_token stop) {
  const ProcessOptions process{options.timeout, options.interval};
  return wait_until_killed(until::process_gone(pid, process), ports, options, stop);
}

}  // namespace rouse
