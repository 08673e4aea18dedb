#pragma once

/// @file
/// The version of rouse, for `#if` and for people. The build system reads it from here.
///
/// @code
/// static_assert(ROUSE_VERSION >= 100, "needs rouse 0.1.0 or later");
/// @endcode
///
/// These are the only macros that rouse's public headers define.

#define ROUSE_VERSION_MAJOR 0
#define ROUSE_VERSION_MINOR 1
#define ROUSE_VERSION_PATCH 0

/// One number that grows with the version: major * 10000 + minor * 100 + patch.
#define ROUSE_VERSION \
  (ROUSE_VERSION_MAJOR * 10000 + ROUSE_VERSION_MINOR * 100 + ROUSE_VERSION_PATCH)

/// "major.minor.patch". Spelled out because composing it would take helper macros, which would be
/// public too; the build refuses to configure when it differs from the numbers above.
#define ROUSE_VERSION_STRING "0.1.0"
