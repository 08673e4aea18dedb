#include "support/browser.hpp"

#include "support/find_program.hpp"
#include "support/http_client.hpp"

#include <cstdlib>
#include <exception>
#include <sstream>
#include <stdexcept>
#include <vector>

namespace rouse::test {
namespace {

using namespace std::chrono_literals;

// A browser on a busy machine.
constexpr std::chrono::seconds browser_limit{45};
constexpr int sees_ms = 40000;

std::string json_text(std::string_view text) {
  std::string json = "\"";
  for (const char c : text) {
    if (c == '\n') {
      json += "\\n";
    } else {
      if (c == '"' || c == '\\') json += '\\';
      json += c;
    }
  }
  return json + "\"";
}

// The string that begins behind `key` in what the driver says; it never has a "\u" in these tests.
std::string string_behind(const std::string& json, std::string_view key) {
  std::size_t at = json.find(key);
  if (at == std::string::npos) return {};
  std::string text;
  for (at += key.size(); at < json.size() && json[at] != '"'; ++at) {
    if (json[at] != '\\' || ++at == json.size()) {
      text += json[at];
    } else {
      text += json[at] == 'n' ? '\n' : json[at];
    }
  }
  return text;
}

std::string from_base64(std::string_view text) {
  constexpr std::string_view digits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string bytes;
  unsigned int collected = 0;
  int bits = 0;
  for (const char c : text) {
    const std::size_t digit = digits.find(c);
    if (digit == std::string_view::npos) continue;
    collected = (collected << 6 | static_cast<unsigned int>(digit)) & 0xFFFFU;
    if ((bits += 6) < 8) continue;
    bits -= 8;
    bytes += static_cast<char>(collected >> bits & 0xFFU);
  }
  return bytes;
}

std::string arguments(const std::string& profile) {
  std::string list;
  for (const std::string& argument :
       {std::string("--headless"), std::string("--no-sandbox"), std::string("--disable-gpu"),
        std::string("--disable-dev-shm-usage"), std::string("--disable-quic"),
        std::string("--no-first-run"), std::string("--disable-background-networking"),
        std::string("--disable-component-update"), std::string("--disable-sync"),
        std::string("--hide-scrollbars"), std::string("--window-size=1280,800"),
        "--user-data-dir=" + profile}) {
    if (!list.empty()) list += ',';
    list += json_text(argument);
  }
  return list;
}

}  // namespace

Browser::Browser() {
  const std::string chromium = find_program("chromium");
  driver_ = std::make_unique<ChildProcess>(
      std::vector<std::string>{find_program("chromedriver"), "--port=0"});
  constexpr std::string_view started = "started successfully on port ";
  if (!driver_->wait_for_output(started, 1, browser_limit) ||
      !driver_->wait_for_output(".\n", 1, browser_limit)) {
    std::ostringstream said;
    said << *driver_;
    throw std::runtime_error("chromedriver does not start: " + said.str());
  }
  const std::string& said = driver_->output();
  port_ = static_cast<std::uint16_t>(std::atoi(said.c_str() + said.find(started) + started.size()));
  const std::string answer = command(
      "POST", "/session",
      R"({"capabilities":{"alwaysMatch":{"browserName":"chrome","goog:loggingPrefs":{"browser":"ALL"},)"
      R"("timeouts":{"script":)" +
          std::to_string(sees_ms + 5000) + R"(},"goog:chromeOptions":{"binary":)" +
          json_text(chromium) + R"(,"args":[)" + arguments(profile_.path()) + "]}}}}");
  session_ = "/session/" + string_behind(answer, "\"sessionId\":\"");
}

Browser::~Browser() {
  try {
    command("DELETE", session_);
  } catch (const std::exception&) {
    // It ends with its driver.
  }
}

std::string Browser::command(std::string_view method, const std::string& path,
                             const std::string& body) {
  HttpClient client(port_, browser_limit);
  client.send(std::string(method) + " " + path + " HTTP/1.1\r\nHost: localhost\r\n" +
              "Content-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) +
              "\r\n\r\n" + body);
  HttpReply reply = client.read_answer();
  if (reply.status != 200) {
    throw std::runtime_error(std::string(method) + " " + path + " " + body + ": " +
                             std::to_string(reply.status) + " " + reply.body);
  }
  return std::move(reply.body);
}

void Browser::open(const std::string& url) {
  command("POST", session_ + "/url", "{\"url\":" + json_text(url) + "}");
}

void Browser::press(std::string_view key) {
  const std::string value = "\"value\":\"" + std::string(key) + "\"}";
  command("POST", session_ + "/actions",
          R"({"actions":[{"type":"key","id":"keyboard","actions":[{"type":"keyDown",)" + value +
              R"(,{"type":"keyUp",)" + value + "]}]}");
}

void Browser::type(std::string_view text) {
  for (const char c : text) press(std::string(1, c));
}

void Browser::click(std::string_view selector) {
  const std::string element =
      command("POST", session_ + "/element",
              R"({"using":"css selector","value":)" + json_text(selector) + "}");
  const std::string id = string_behind(element, "element-6066-11e4-a52e-4f735466cecf\":\"");
  command("POST", session_ + "/element/" + id + "/click", "{}");
}

std::string Browser::run(std::string_view script) {
  const std::string answer = command("POST", session_ + "/execute/sync",
                                     "{\"script\":" + json_text(script) + ",\"args\":[]}");
  return string_behind(answer, "\"value\":\"");
}

bool Browser::sees(std::string_view expression) {
  const std::string script =
      "const done = arguments[0], end = Date.now() + " + std::to_string(sees_ms) +
      "; const look = () => { let seen = false; try { seen = " + std::string(expression) +
      "; } catch { } if (seen) done('yes'); else if (Date.now() > end) done('no');"
      " else setTimeout(look, 20); }; look();";
  const std::string answer = command("POST", session_ + "/execute/async",
                                     "{\"script\":" + json_text(script) + ",\"args\":[]}");
  return string_behind(answer, "\"value\":\"") == "yes";
}

void Browser::resize(int width, int height, bool phone) {
  command("POST", session_ + "/goog/cdp/execute",
          R"({"cmd":"Emulation.setDeviceMetricsOverride","params":{"width":)" +
              std::to_string(width) + ",\"height\":" + std::to_string(height) +
              ",\"deviceScaleFactor\":1,\"mobile\":" + (phone ? "true" : "false") + "}}");
}

void Browser::prefer_dark(bool dark) {
  command("POST", session_ + "/goog/cdp/execute",
          R"({"cmd":"Emulation.setEmulatedMedia","params":{"features":[)"
          R"({"name":"prefers-color-scheme","value":")" +
              std::string(dark ? "dark" : "light") + "\"}]}}");
}

std::string Browser::screenshot() {
  return from_base64(string_behind(command("GET", session_ + "/screenshot"), "\"value\":\""));
}

std::string Browser::complaints() {
  const std::string answer = command("POST", session_ + "/se/log", R"({"type":"browser"})");
  const std::size_t list = answer.find('[');
  return answer.substr(list, answer.rfind(']') + 1 - list);
}

}  // namespace rouse::test
