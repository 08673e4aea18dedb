#pragma once
// JsonDocument: JSON from somebody who may be hostile, and what a JSON pointer finds in it.
//
// Bounded: 64 levels, 50,000 values; whoever reads the text bounds its size. (The parser's header
// is heavy, so it is in the source.) Thread safety: const functions only, any thread.

#include "expectation.hpp"

#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

namespace health {

/// Why a text is no JSON, or too much of it.
class JsonError : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

class JsonDocument {
 public:
  /// Throws JsonError.
  explicit JsonDocument(std::string_view text);
  ~JsonDocument();

  struct Found {
    bool there = false;
    bool is_text = false;
    std::string text;   ///< If it is text.
    std::string shown;  ///< For messages: "\"up\"", "an array of 3"; at most 80 characters or so.
  };
  [[nodiscard]] Found find(const std::string& pointer) const;

  /// Whether what is at `pointer` is in this relation to `literal`, which is JSON. False for
  /// "matches", and for what cannot be compared.
  [[nodiscard]] bool holds(const std::string& pointer, Operator op,
                           const std::string& literal) const;

 private:
  struct Impl;
  std::unique_ptr<const Impl> impl_;
};

/// `word` as JSON: itself if it is true, false, null or a number, otherwise as text. Throws
/// JsonError if it is not UTF-8.
std::string json_literal(std::string_view word, bool is_text);

}  // namespace health
