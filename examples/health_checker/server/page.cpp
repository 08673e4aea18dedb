#include "server/page.hpp"

#include "rouse/resource/random_id.hpp"

#include <cstddef>

namespace health {

Page make_page() {
  constexpr std::string_view placeholder = "@nonce@";
  const std::string nonce = rouse::random_string(22);
  Page page{.html = std::string(page_source()), .policy = {}};
  for (std::size_t at = 0; (at = page.html.find(placeholder, at)) != std::string::npos;) {
    page.html.replace(at, placeholder.size(), nonce);
  }
  page.policy = "default-src 'none'; script-src 'nonce-" + nonce + "'; style-src 'nonce-" + nonce +
                "'; img-src data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
                "frame-ancestors 'none'";
  return page;
}

}  // namespace health
