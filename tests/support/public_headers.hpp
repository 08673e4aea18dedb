#pragma once
// What the public headers declare, for tests that compare a table with them.
//
//   for (const std::string& header : public_headers("wait")) {
//     for (const PublicFunction& function : public_functions(header)) ...
//   }
//
// Relies on our formatting: declarations begin in the first column, or in the third in a class, and
// statements of bodies lie deeper.
// Thread safety: any thread.

#include <iosfwd>
#include <string>
#include <vector>

namespace rouse::test {

/// A function that users may call, as it is declared.
struct PublicFunction {
  std::string scope;      ///< Class and namespace within rouse: "Event", "until", "" for neither.
  std::string name;       ///< "wait_for", "~Event".
  std::string signature;  ///< With the names of its parameters: "Event::wait_for(d, stop)".
  std::string text;       ///< The declaration, up to the parenthesis that ends its parameters.
  std::string comment;    ///< The documentation that it has alone or shares with those before it.
  std::string header;     ///< As it is included.
  int line = 0;
};

/// The headers in include/rouse/`layer`, as they are included. Empty: those that are in no layer.
std::vector<std::string> public_headers(const std::string& layer);

std::vector<PublicFunction> public_functions(const std::string& header);

/// The same of a header's text; `header` is its name.
std::vector<PublicFunction> public_functions(std::istream& text, const std::string& header);

}  // namespace rouse::test
