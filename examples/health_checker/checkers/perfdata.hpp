#pragma once
// The figures that Nagios plug-ins print behind a bar: "OK - fine | 'disk a'=12.5MB;20;30
// load=0.3".

#include "base_checker.hpp"

#include <string_view>
#include <vector>

namespace health {

/// The figures in `text`, which is what follows the bar. What is not one is passed over: plug-ins
/// print all sorts of things. At most 64.
std::vector<Figure> parse_perfdata(std::string_view text);

}  // namespace health
