#include "support/public_headers.hpp"

#include <algorithm>
#include <climits>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <istream>
#include <optional>
#include <regex>
#include <string_view>

namespace rouse::test {
namespace {

const std::filesystem::path include_directory = ROUSE_SOURCE_DIR "/include";

std::string trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(' ');
  if (begin == std::string_view::npos) return {};
  return std::string(text.substr(begin, text.find_last_not_of(' ') - begin + 1));
}

// How many parentheses are open behind `text`.
long open_parentheses(std::string_view text) {
  return std::ranges::count(text, '(') - std::ranges::count(text, ')');
}

// "(int fd, std::stop_token stop = {})" -> "(fd, stop)". What has no name has its type's last word.
std::string names_of_parameters(std::string_view list) {
  static const std::regex last_word(R"((\w+)\W*$)");
  std::string names;
  int depth = 0;
  std::string parameter;
  const auto end_parameter = [&] {
    std::smatch word;
    const std::string declared = parameter.substr(0, parameter.find('='));
    if (std::regex_search(declared, word, last_word)) {
      if (!names.empty()) names += ", ";
      names += word.str(1);
    }
    parameter.clear();
  };
  for (const char c : list.substr(1, list.size() - 2)) {
    if (c == '(' || c == '<' || c == '{') ++depth;
    if (c == ')' || c == '>' || c == '}') --depth;
    if (c == ',' && depth == 0) {
      end_parameter();
    } else {
      parameter += c;
    }
  }
  end_parameter();
  return "(" + names + ")";
}

// Reads a header line by line.
class Reader {
 public:
  explicit Reader(std::string header) : header_(std::move(header)) {}

  void read(std::string raw) {
    static const std::regex attribute(R"(\[\[.*?\]\] ?|__attribute__\(\(.*?\)\)\)? )");
    ++number_;
    note_comment(raw);
    const std::string line = std::regex_replace(raw.substr(0, raw.find("//")), attribute, "");
    if (unfinished_) {
      go_on(line);
    } else {
      begin(line);
    }
    depth_ += static_cast<int>(std::ranges::count(line, '{') - std::ranges::count(line, '}'));
    if (depth_ <= hidden_ && hidden_ != nothing) hidden_ = nothing;
    while (!scopes_.empty() && depth_ <= scopes_.back().depth) scopes_.pop_back();
  }

  std::vector<PublicFunction> functions() && { return std::move(functions_); }

 private:
  struct Scope {
    std::string name;
    int depth;  // outside of it
  };

  static constexpr int nothing = INT_MAX;

  void note_comment(const std::string& line) {
    const std::string text = trimmed(line);
    if (text.starts_with("///")) {
      if (!in_comment_) comment_.clear();
      if (!comment_.empty()) comment_ += ' ';
      comment_ += trimmed(std::string_view(text).substr(3));
      in_comment_ = true;
    } else {
      in_comment_ = false;
      if (text.empty()) comment_.clear();
    }
  }

  void begin(const std::string& line) {
    static const std::regex declaration(
        R"(^(?:  )?(?! )(?:[\w:<>,&* ]*?[&* ])??(operator\(\)|~?(?!requires)\w+|operator \w+)\()");
    static const std::regex scope(R"(^(?:  )?(?:namespace|class|struct) ([\w:]+)[^;]*\{$)");
    if (hidden_ == nothing && line.starts_with("namespace detail {")) hidden_ = depth_;
    if (hidden_ == nothing && (line == " private:" || line == " protected:")) hidden_ = depth_ - 1;
    if (hidden_ == depth_ - 1 && line == " public:") hidden_ = nothing;
    std::smatch match;
    if (std::regex_search(line, match, scope)) {
      scopes_.push_back({match[1], depth_});
      comment_.clear();
    }
    if (hidden_ == nothing && std::regex_search(line, match, declaration) &&
        !line.starts_with('#') && !line.starts_with("  return ") &&
        line.find("= delete") == std::string::npos && line.find("= default") == std::string::npos) {
      unfinished_ = PublicFunction{scope_name(), match[1], {}, {}, comment_, header_, number_};
      parameters_at_ = static_cast<std::size_t>(match.position(0) + match.length(0)) - 1;
      go_on(line);
    }
  }

  // Up to the parenthesis that ends the parameters.
  void go_on(const std::string& line) {
    std::string& text = unfinished_->text;
    if (!text.empty()) text += ' ';
    for (const char c : text.empty() ? line : trimmed(line)) {
      text += c;
      if (c != ')' || text.size() <= parameters_at_) continue;
      if (open_parentheses(std::string_view(text).substr(parameters_at_)) != 0) continue;
      PublicFunction& function = *unfinished_;
      function.signature = (function.scope.empty() ? "" : function.scope + "::") + function.name +
                           names_of_parameters(std::string_view(text).substr(parameters_at_));
      text = trimmed(text);
      functions_.push_back(std::move(function));
      unfinished_.reset();
      return;
    }
  }

  std::string scope_name() const {
    std::string name;
    for (const Scope& scope : scopes_) {
      const std::string inner =
          scope.name.starts_with("rouse::") ? scope.name.substr(7) : scope.name;
      if (inner != "rouse") name += (name.empty() ? "" : "::") + inner;
    }
    return name;
  }

  const std::string header_;
  int number_ = 0;
  int depth_ = 0;
  int hidden_ = nothing;  // not public is what lies deeper than this
  std::vector<Scope> scopes_;
  std::string comment_;
  bool in_comment_ = false;
  std::optional<PublicFunction> unfinished_;
  std::size_t parameters_at_ = 0;
  std::vector<PublicFunction> functions_;
};

}  // namespace

std::vector<std::string> public_headers(const std::string& layer) {
  std::vector<std::string> names;
  for (const auto& entry :
       std::filesystem::directory_iterator(include_directory / "rouse" / layer)) {
    if (entry.is_regular_file()) {
      names.push_back(entry.path().lexically_relative(include_directory));
    }
  }
  std::ranges::sort(names);
  return names;
}

std::vector<PublicFunction> public_functions(std::istream& text, const std::string& header) {
  Reader reader(header);
  for (std::string line; std::getline(text, line);) reader.read(std::move(line));
  return std::move(reader).functions();
}

std::vector<PublicFunction> public_functions(const std::string& header) {
  std::ifstream file(include_directory / header);
  return public_functions(file, header);
}

}  // namespace rouse::test
