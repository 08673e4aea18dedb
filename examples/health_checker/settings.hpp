#pragma once
// Settings: the keys of one TOML table, read with their checks; what is wrong is collected with its
// line and column, and what nobody asked for is reported with a suggestion.
//
//   Options options{.host = settings.required_text("host"),
//                   .port = settings.integer("port", 80, 1, 65535)};
//
// A reader never throws for bad input: it records the error and returns the default, so that one
// run shows all mistakes. The file's owner looks at the errors before anything is started.

#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <toml++/toml.h>

namespace health {

struct ConfigError {
  std::string file;
  std::uint32_t line = 0;    ///< From 1; 0 where it is about the file as a whole.
  std::uint32_t column = 0;  ///< From 1.
  std::string message;

  /// "health.toml:12:3: check 'web': unknown key 'perid'; did you mean 'period'?", printable.
  [[nodiscard]] std::string to_string() const;
};

class Settings {
 public:
  /// `what` names the table in messages: "check 'web'"; empty for the file itself. `table` and
  /// `errors` are referred to, not copied: both outlive it.
  Settings(const toml::table& table, std::string what, std::string file,
           std::vector<ConfigError>& errors);

  [[nodiscard]] bool has(std::string_view key) const;

  // Each reader marks its key as known. Text is capped at 4 KiB and holds no NUL.
  std::string text(std::string_view key, std::string fallback);
  /// Neither missing nor empty.
  std::string required_text(std::string_view key);
  /// One of `choices`, or the first of them.
  std::string choice(std::string_view key, std::initializer_list<std::string_view> choices);
  std::vector<std::string> text_list(std::string_view key);  ///< Capped at 256 entries.
  /// The same, for what looks into the texts: error_within() says where in one something is wrong.
  struct ListedText {
    std::string text;
    const toml::node* node;
  };
  std::vector<ListedText> listed_texts(std::string_view key);
  std::int64_t integer(std::string_view key, std::int64_t fallback, std::int64_t least,
                       std::int64_t most);
  std::int64_t required_integer(std::string_view key, std::int64_t least, std::int64_t most);
  double number(std::string_view key, double fallback, double least, double most);
  bool flag(std::string_view key, bool fallback);
  /// "500ms", "10s", "5m", "1h", "1d", or a number of seconds.
  std::chrono::milliseconds duration(std::string_view key, std::chrono::milliseconds fallback,
                                     std::chrono::milliseconds least,
                                     std::chrono::milliseconds most);
  std::optional<std::chrono::milliseconds> optional_duration(std::string_view key,
                                                             std::chrono::milliseconds least,
                                                             std::chrono::milliseconds most);
  /// Bytes: "10MiB", "4k" (1024), "1GB" (10^9), or a number.
  std::optional<std::uint64_t> optional_bytes(std::string_view key);
  /// A share: "90%" or a number of per cent, in [0, 100].
  double percent(std::string_view key, double fallback);

  /// An error at the key's value (or at the table if the key is not there).
  void error_at(std::string_view key, const std::string& message);

  /// An error at byte `offset` of a text: at its column, where the text stands in the file as it
  /// is; where it is written with escapes, or over several lines, the message says which character.
  void error_within(const ListedText& entry, std::size_t offset, const std::string& message);

  /// Those that have been asked for.
  [[nodiscard]] const std::vector<std::string>& known_keys() const noexcept { return known_; }

  /// After all readers: reports the keys that none of them asked for. `also_known` are keys that
  /// somebody else reads.
  void report_unknown_keys(std::initializer_list<std::string_view> also_known = {});

 private:
  /// The key's value, or null; marks the key as known.
  const toml::node* find(std::string_view key);
  /// Records that `key` is not what it must be: "a string".
  void wrong(std::string_view key, const toml::node& node, std::string_view must_be);
  void error_from(const toml::source_region& where, const std::string& message);
  std::optional<std::string> checked_text(std::string_view key, const toml::node& node);

  const toml::table& table_;
  std::string what_;
  std::string file_;
  std::vector<ConfigError>& errors_;
  std::vector<std::string> known_;
};

}  // namespace health
