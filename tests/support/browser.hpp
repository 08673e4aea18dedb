#pragma once
// Browser: headless Chromium on a page, driven through chromedriver as a person would: keys, clicks
// and looking.
//
/// @code
///   Browser browser;
///   browser.open("http://127.0.0.1:8080/");
///   browser.press("/");
///   ASSERT_TRUE(browser.sees("document.activeElement.id === 'search'"));
/// @endcode
//
// Errors: what the driver refuses is a std::runtime_error with its words.
// Thread safety: one thread, which outlives it.

#include "support/child_process.hpp"
#include "support/temporary_directory.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace rouse::test {

class Browser {
 public:
  /// Keys that have no character, for press().
  static constexpr std::string_view enter = "\\uE007";
  static constexpr std::string_view escape = "\\uE00C";
  static constexpr std::string_view down = "\\uE015";
  static constexpr std::string_view up = "\\uE013";
  static constexpr std::string_view end = "\\uE010";
  static constexpr std::string_view tab = "\\uE004";

  /// Blocks until it is there.
  Browser();
  ~Browser();
  Browser(const Browser&) = delete;
  Browser& operator=(const Browser&) = delete;

  /// Blocks until the page is loaded.
  void open(const std::string& url);
  /// On what has the focus.
  void press(std::string_view key);
  void type(std::string_view text);
  /// On the element of this CSS selector.
  void click(std::string_view selector);

  /// Runs statements in the page; "return x;" returns a string.
  std::string run(std::string_view script);
  /// Waits until the expression is true in the page. False after some time without.
  bool sees(std::string_view expression);

  void resize(int width, int height, bool phone = false);
  void prefer_dark(bool dark);
  /// A PNG.
  std::string screenshot();
  /// Errors and violations of the page's own policy since the last call, as the driver has them;
  /// "[]" if there are none.
  std::string complaints();

 private:
  std::string command(std::string_view method, const std::string& path,
                      const std::string& body = {});

  TemporaryDirectory profile_;
  std::unique_ptr<ChildProcess> driver_;
  std::uint16_t port_ = 0;
  std::string session_;  // "/session/0123..."
};

}  // namespace rouse::test
