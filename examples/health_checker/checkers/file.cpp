#include "checkers/file.hpp"

#include "checkers/grade.hpp"
#include "checkers/kinds.hpp"
#include "checkers/mounts.hpp"
#include "checkers/text.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

namespace health {
namespace {

using Kind = FileOptions::Kind;

CheckResult critical(std::string message) { return verdict(Status::critical, std::move(message)); }

std::chrono::nanoseconds age_of(const FileFacts& facts) {
  // The calendar's clock: the file's time is one of it. A time in the future is an age of zero.
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::max(std::chrono::nanoseconds(now) - std::chrono::nanoseconds(facts.modified_ns),
                  std::chrono::nanoseconds(0));
}

// Nothing for a path that may not be followed: the look says why.
std::optional<rouse::Condition> change_of(const std::string& path) {
  try {
    return rouse::until::file_changed(path);
  } catch (const std::system_error&) {
    return std::nullopt;
  }
}

}  // namespace

FileFacts look_at_file(const char* path) {
  struct stat found {};
  if (::stat(path, &found) != 0) return {.error = errno};
  const Kind kind = S_ISREG(found.st_mode)   ? Kind::regular
                    : S_ISDIR(found.st_mode) ? Kind::directory
                                             : Kind::any;
  return {.error = 0,
          .kind = kind,
          .size = static_cast<std::uint64_t>(found.st_size),
          .modified_ns = found.st_mtim.tv_sec * 1'000'000'000 + found.st_mtim.tv_nsec};
}

FileChecker::FileChecker(FileOptions options, FileFacts (*look)(const char*),
                         ChildCall::Where where)
    : options_(std::move(options)), look_(look), call_(where) {}

CheckResult FileChecker::check(std::stop_token) {
  // Before the look: what comes after it is a change.
  if (!armed_ && !may_hang(options_.path)) change_ = change_of(options_.path);
  const std::optional<FileFacts> facts = call_.run(look_, options_.path);
  if (facts) {
    there_ = facts->error == 0;
    return judge(*facts);
  }
  return critical("the file system does not answer since " +
                  duration_text(std::chrono::steady_clock::now() - call_.hangs_since()));
}

// That it goes, or that it comes: not that it is written to.
std::optional<std::vector<rouse::Condition>> FileChecker::new_events() {
  if (!there_ || !change_ || (armed_ && armed_for_ == there_)) return std::nullopt;
  armed_ = true;
  armed_for_ = there_;
  return std::vector<rouse::Condition>{*there_ ? rouse::until::file_gone(options_.path) : *change_};
}

CheckResult FileChecker::judge(const FileFacts& facts) const {
  const bool missing = facts.error == ENOENT || facts.error == ENOTDIR;
  if (facts.error != 0 && !missing) {
    return verdict(Status::unknown, options_.path + ": " + error_text(facts.error));
  }
  if (options_.absent) {
    if (missing) return verdict(Status::ok, options_.path + " is not there");
    return critical(options_.path + " is there");
  }
  if (missing) return critical(options_.path + " is not there");

  const auto age = age_of(facts);
  CheckResult result = verdict(
      Status::ok, bytes_text(facts.size) + ", " + duration_text(age) + " old",
      {{"age", milliseconds(age) / 1000, "s"}, {"size", static_cast<double>(facts.size), "B"}});
  const auto wrong = [&](const std::string& what) {
    result.status = Status::critical;
    result.message += ", " + what;
  };
  if (options_.kind == Kind::regular && facts.kind != Kind::regular) wrong("not a regular file");
  if (options_.kind == Kind::directory && facts.kind != Kind::directory) wrong("not a directory");
  if (options_.max_age && age > *options_.max_age) {
    wrong("older than " + duration_text(*options_.max_age));
  }
  if (options_.min_size && facts.size < *options_.min_size) {
    wrong("smaller than " + bytes_text(*options_.min_size));
  }
  if (options_.max_size && facts.size > *options_.max_size) {
    wrong("larger than " + bytes_text(*options_.max_size));
  }
  return result;
}

std::unique_ptr<BaseChecker> make_file(Settings& settings) {
  using std::chrono::milliseconds;
  FileOptions options;
  options.path = settings.required_text("path");
  options.absent = settings.choice("state", {"exists", "absent"}) == "absent";
  const std::string kind = settings.choice("kind", {"any", "regular", "directory"});
  options.kind = kind == "regular"     ? Kind::regular
                 : kind == "directory" ? Kind::directory
                                       : Kind::any;
  options.max_age =
      settings.optional_duration("max_age", milliseconds(1), std::chrono::hours(24 * 3660));
  options.min_size = settings.optional_bytes("min_size");
  options.max_size = settings.optional_bytes("max_size");
  if (options.min_size && options.max_size && *options.min_size > *options.max_size) {
    settings.error_at("max_size", "'max_size' is smaller than 'min_size'");
  }
  for (const char* key : {"kind", "max_age", "min_size", "max_size"}) {
    if (options.absent && settings.has(key)) {
      settings.error_at(key, std::string("'") + key + "' has no meaning with state = \"absent\"");
    }
  }
  return std::make_unique<FileChecker>(std::move(options));
}

}  // namespace health
