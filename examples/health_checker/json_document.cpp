#include "json_document.hpp"

#include "checkers/text.hpp"
#include "display.hpp"

#include <algorithm>

#include <nlohmann/json.hpp>

namespace health {
namespace {

using Json = nlohmann::json;

constexpr int most_levels = 64;
constexpr int most_values = 50'000;
constexpr std::size_t longest_value = 80;

/// "[json.exception.parse_error.101] parse error at line 1, column 2: ..." without the brackets.
std::string reason_of(const Json::exception& error) {
  const std::string_view text = error.what();
  const std::size_t end = text.find("] ");
  return std::string(text.substr(end == std::string_view::npos ? 0 : end + 2));
}

/// Counts while the parser parses.
class Limits {
 public:
  bool operator()(int depth, Json::parse_event_t event, const Json&) {
    if (depth > most_levels) throw JsonError("nested deeper than 64 levels");
    if (event != Json::parse_event_t::key && ++values_ > most_values) {
      throw JsonError("more than 50000 values");
    }
    return true;
  }

 private:
  int values_ = 0;
};

std::string value_text(const Json& value) {
  if (value.is_array()) return "an array of " + std::to_string(value.size());
  if (value.is_object()) return "an object of " + std::to_string(value.size());
  return cut(printable(value.dump(-1, ' ', false, Json::error_handler_t::replace)), longest_value);
}

bool contains(const Json& value, const Json& part) {
  if (value.is_array()) return std::find(value.begin(), value.end(), part) != value.end();
  if (!part.is_string()) return false;
  const auto& text = part.get_ref<const std::string&>();
  if (value.is_object()) return value.contains(text);
  return value.is_string() && value.get_ref<const std::string&>().find(text) != std::string::npos;
}

bool compare_json(const Json& a, Operator op, const Json& b) {
  const bool are_equal_or_not = op == Operator::equal || op == Operator::unequal;
  // Others have an order too, which nobody means.
  const bool have_order = (a.is_number() && b.is_number()) || (a.is_string() && b.is_string());
  return (are_equal_or_not || have_order) && compare(a, op, b);
}

}  // namespace

struct JsonDocument::Impl {
  [[nodiscard]] const Json* find(const std::string& pointer) const {
    try {
      const Json::json_pointer where(pointer);
      return root.contains(where) ? &root.at(where) : nullptr;
    } catch (const Json::exception&) {
      return nullptr;  // an index that is out of the range of numbers
    }
  }

  Json root;
};

JsonDocument::JsonDocument(std::string_view text) {
  try {
    auto impl = std::make_unique<Impl>();
    impl->root = Json::parse(text, Limits());
    impl_ = std::move(impl);
  } catch (const Json::exception& error) {
    throw JsonError(reason_of(error));
  }
}

JsonDocument::~JsonDocument() = default;

JsonDocument::Found JsonDocument::find(const std::string& pointer) const {
  const Json* const value = impl_->find(pointer);
  if (value == nullptr) return {};
  Found found{
      .there = true, .is_text = value->is_string(), .text = {}, .shown = value_text(*value)};
  if (found.is_text) found.text = value->get_ref<const std::string&>();
  return found;
}

bool JsonDocument::holds(const std::string& pointer, Operator op,
                         const std::string& literal) const {
  const Json* const value = impl_->find(pointer);
  if (value == nullptr || op == Operator::matches) return false;
  const Json other = Json::parse(literal);
  return op == Operator::contains ? contains(*value, other) : compare_json(*value, op, other);
}

std::string json_literal(std::string_view word, bool is_text) {
  if (!is_text && word.find_first_of("[{\"") == std::string_view::npos && Json::accept(word)) {
    return std::string(word);
  }
  try {
    return Json(std::string(word)).dump();
  } catch (const Json::exception& error) {
    throw JsonError(reason_of(error));
  }
}

}  // namespace health
