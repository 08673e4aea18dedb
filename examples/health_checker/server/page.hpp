#pragma once
// The status page: page.html with page.css and page.js in it, built into the program.

#include <string>
#include <string_view>

namespace health {

/// One file, but for the nonces.
std::string_view page_source() noexcept;

struct Page {
  std::string html;
  std::string policy;  ///< Its Content-Security-Policy: only its own script and style, by nonce.
};

/// With a nonce that nobody can guess; a new one for each answer.
Page make_page();

}  // namespace health
