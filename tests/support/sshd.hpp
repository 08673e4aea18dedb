#pragma once
// Sshd: a real SSH server on 127.0.0.1, with a host key of its own, that dies with the test.
//
// Nobody can log in: it is there to be connected to.

#include "support/child_process.hpp"
#include "support/temporary_directory.hpp"
#include "support/test_socket.hpp"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <system_error>
#include <vector>

namespace rouse::test {

class Sshd {
 public:
  /// Throws std::runtime_error, with what it said, if it does not come up.
  Sshd() {
    const std::string key = folder_ / "key";
    ChildProcess generator({"/usr/bin/ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key});
    if (generator.wait_for_exit() != 0) fail("ssh-keygen", generator);
    // For the process that talks to a client before it is known.
    std::error_code not_ours_to_make;
    std::filesystem::create_directories("/run/sshd", not_ours_to_make);
    for (int attempt = 0; attempt < 5; ++attempt) {
      port_ = TestSocket().port();
      process_ = std::make_unique<ChildProcess>(std::vector<std::string>{
          "/usr/sbin/sshd", "-D", "-e", "-f", "/dev/null", "-h", key, "-p", std::to_string(port_),
          "-o", "ListenAddress=127.0.0.1", "-o", "PidFile=none"});
      if (process_->wait_for_output("Server listening on 127.0.0.1")) return;
    }
    fail("sshd", *process_);
  }

  [[nodiscard]] std::uint16_t port() const noexcept { return port_; }

 private:
  [[noreturn]] static void fail(const char* what, const ChildProcess& process) {
    std::ostringstream said;
    said << what << " does not work: " << process;
    throw std::runtime_error(said.str());
  }

  TemporaryDirectory folder_;
  std::uint16_t port_ = 0;
  std::unique_ptr<ChildProcess> process_;
};

}  // namespace rouse::test
