#pragma once
// Program: what a long-running program puts in order about itself.

#include <cstddef>
#include <string>

namespace health {

/// To be called first in main(), before there are threads:
/// - standard descriptors that are closed are opened on /dev/null, or else a log file or a socket
///   would become somebody's standard output;
/// - SIGPIPE is ignored: a write to what has gone fails instead;
/// - SIGCHLD is as it should be, whatever was inherited, so that child processes can be reaped;
/// - as many descriptors are allowed as the system grants: a thousand checks need more than the
///   usual 1,024.
void prepare_process();

/// To standard output, at once. Blocks while nobody reads, until this thread's stop; what is said
/// after that is waited for no longer than output_patience. If the reader has gone there is nobody
/// to tell.
void print(const std::string& text);

/// Whether somebody sits before standard input.
bool is_terminal() noexcept;

/// How many characters fit in a line of standard output; 120 if it is no terminal.
std::size_t terminal_width() noexcept;

}  // namespace health
