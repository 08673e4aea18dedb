#pragma once
// One copy of the library per process: with two there are two parking tables, and an Event that is
// set through one does not wake who waits through the other.

namespace rouse::detail {

/// Prints a line to stderr if the program or a shared library that was loaded before this copy
/// holds another one. Each copy calls it once, when it is loaded. Design: docs/design/linking.md.
void report_other_copy() noexcept;

}  // namespace rouse::detail
