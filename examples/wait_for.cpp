// wait_for: waits in a script or a container until something is there, or gone.
//
//   wait_for port 5432 --timeout 30s && exec my_server
//   wait_for line server.log 'listening on port ([0-9]+)' --from-end
//   wait_for file '/run/my_server/*.pid'
//   wait_for process my_server        wait_for gone 4711
//
// Prints what it found. Exit status: 0 ready, 1 timeout, 2 error, 130 stopped (Ctrl-C, SIGTERM).

#include <rouse/rouse.hpp>
#include <rouse/service/autowait.hpp>

#include <charconv>
#include <csignal>
#include <cstdio>
#include <exception>
#include <functional>
#include <map>
#include <string>

#include <CLI/CLI.hpp>

namespace {

enum ExitStatus { exit_ready = 0, exit_timeout = 1, exit_error = 2, exit_stopped = 130 };

/// A condition, and what to print when it holds.
struct Wanted {
  rouse::Condition condition;
  std::function<std::string()> found = [] { return std::string(); };
};

struct Arguments {
  std::string path;
  std::string pattern;
  int port = 0;
  bool gone = false;
  bool recursive = false;
  bool udp = false;
  bool from_end = false;
  double stable = 0;
  bool verbose = false;
  double timeout = 30;
};

Wanted wanted_file(const Arguments& arguments) {
  if (arguments.gone) return {rouse::until::file_gone(arguments.path)};
  if (arguments.stable > 0) {
    const std::chrono::duration<double> quiet(arguments.stable);
    return {rouse::until::file_stable(arguments.path, quiet), [&] { return arguments.path; }};
  }
  const std::size_t slash = arguments.path.rfind('/');
  const std::string directory =
      slash == std::string::npos ? "." : arguments.path.substr(0, slash + 1);
  auto file = rouse::until::file_exists(directory, arguments.path.substr(slash + 1),
                                        {.recursive = arguments.recursive});
  return {file, [file] { return file.path(); }};
}

Wanted wanted_line(const Arguments& arguments) {
  const auto from = arguments.from_end ? rouse::LineStart::end : rouse::LineStart::start;
  auto line = rouse::until::line_matches(arguments.path, arguments.pattern, {.from = from});
  return {line, [line] { return line.line(); }};
}

Wanted wanted_process(const Arguments& arguments) {
  auto process = rouse::until::process_exists(arguments.path);
  return {process, [process] { return std::to_string(process.process().pid); }};
}

// A number is a pid.
Wanted wanted_gone(const Arguments& arguments) {
  int pid = 0;
  const char* const end = arguments.path.data() + arguments.path.size();
  const auto [stop, error] = std::from_chars(arguments.path.data(), end, pid);
  if (error == std::errc() && stop == end) return {rouse::until::process_gone(pid)};
  return {rouse::until::process_gone(arguments.path)};
}

Wanted wanted_port(const Arguments& arguments) {
  const rouse::PortOptions options{.protocol =
                                       arguments.udp ? rouse::Protocol::udp : rouse::Protocol::tcp};
  return {arguments.gone ? rouse::until::port_free(arguments.port, options)
                         : rouse::until::port_used(arguments.port, options)};
}

int wait_for(const Wanted& wanted, const Arguments& arguments) {
  rouse::SignalStop signals({SIGINT, SIGTERM});
  const std::chrono::duration<double> limit(arguments.timeout);
  const std::string wanted_name = wanted.condition.describe();
  if (arguments.verbose) std::fprintf(stderr, "wait_for: %s\n", wanted_name.c_str());
  switch (rouse::wait_until(wanted.condition, {.timeout = limit}, signals.token())) {
    case rouse::WaitStatus::ready:
      if (const std::string found = wanted.found(); !found.empty()) std::puts(found.c_str());
      return exit_ready;
    case rouse::WaitStatus::timeout:
      std::fprintf(stderr, "wait_for: %g s have passed without %s\n", arguments.timeout,
                   wanted_name.c_str());
      return exit_timeout;
    case rouse::WaitStatus::stopped:
      return exit_stopped;
  }
  return exit_error;
}

}  // namespace

int main(int argc, char** argv) {
  Arguments arguments;
  Wanted (*make)(const Arguments&) = nullptr;

  CLI::App app("Waits until something is there, or gone.", "wait_for");
  app.require_subcommand(1);
  app.fallthrough();
  const CLI::AsNumberWithUnit seconds(
      std::map<std::string, double>{{"ms", 0.001}, {"s", 1}, {"m", 60}, {"min", 60}, {"h", 3600}});
  app.add_option("--timeout", arguments.timeout, "how long at most: 500ms, 30s, 5min")
      ->transform(seconds)
      ->default_str("30s");
  app.add_flag("-v,--verbose", arguments.verbose, "say what is waited for");

  CLI::App* const file = app.add_subcommand("file", "a file; its name may be a pattern");
  file->add_option("PATH", arguments.path)->required();
  file->add_flag("--gone", arguments.gone, "until there is none");
  file->add_flag("--recursive", arguments.recursive, "also in the directories below");
  file->add_option("--stable", arguments.stable, "until it has not changed for so long")
      ->transform(seconds);
  file->callback([&] { make = &wanted_file; });

  CLI::App* const line = app.add_subcommand("line", "a line of a file, as it is written");
  line->add_option("FILE", arguments.path)->required();
  line->add_option("REGEX", arguments.pattern, "in RE2's syntax")->required();
  line->add_flag("--from-end", arguments.from_end, "only what is written from now on");
  line->callback([&] { make = &wanted_line; });

  CLI::App* const process = app.add_subcommand("process", "a process that runs");
  process->add_option("NAME", arguments.path, "its name, or the path of its program")->required();
  process->callback([&] { make = &wanted_process; });

  CLI::App* const gone = app.add_subcommand("gone", "a process that has ended");
  gone->add_option("PID", arguments.path, "or its name or path")->required();
  gone->callback([&] { make = &wanted_gone; });

  CLI::App* const port = app.add_subcommand("port", "a local port that is listened on");
  port->add_option("N", arguments.port)->required();
  port->add_flag("--udp", arguments.udp);
  port->add_flag("--free", arguments.gone, "until nobody listens on it");
  port->callback([&] { make = &wanted_port; });

  try {
    app.parse(argc, argv);
    return wait_for(make(arguments), arguments);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? exit_ready : exit_error;  // --help is none
  } catch (const std::exception& error) {
    std::fprintf(stderr, "wait_for: %s\n", error.what());
    return exit_error;
  }
}
