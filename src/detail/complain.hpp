#pragma once
// complain: one line to stderr from places that can neither throw nor allocate.

#include <exception>
#include <initializer_list>
#include <string_view>

namespace rouse::detail {

/// Writes "rouse: ", the parts with control bytes escaped, and a line feed, as one write. Too long
/// a line is cut.
void complain(std::initializer_list<std::string_view> parts) noexcept;

/// The same, with what the exception says behind the parts.
void complain(std::initializer_list<std::string_view> parts,
              const std::exception_ptr& exception) noexcept;

}  // namespace rouse::detail
