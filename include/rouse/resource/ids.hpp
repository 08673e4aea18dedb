#pragma once
// Ids: what tells one thing from all others. Which generator for what:
//
//   generator              gives     unique              until                   order   guessable
//   NumberGenerator        0, 1, 2   in the process      2^63, reset()           yes     yes
//   LeasedNumberGenerator  numbers   in the process      2^63                    thread  yes
//   NameGenerator          text      on the host         the clock is put back   yes     yes
//   CycleIdGenerator       Id128     address and port    65,536 boots, or the    yes     yes
//                                                        clock is put back
//   uuid4                  Id128     anywhere, by chance for ever                no      no
//   uuid7                  Id128     anywhere, by chance for ever                yes     partly
//   random_string          text      by its length       for ever                no      no
//
// Order: of two ids of one generator in one process, that which was made later is the greater one;
// `thread`: if one thread made both. The exact guarantees are in the headers. docs/guide/ids.md.
//
/// @code
///   const std::int64_t request = rouse::process_numbers().next();  // a number in this process
///   const std::string file = rouse::NameGenerator("upload").next();  // a name on this host
///   rouse::CycleIdGenerator messages("192.0.2.7", 8080);
///   const rouse::Id128 message = messages.next();  // tells who made it
///   const rouse::Id128 session = rouse::uuid4();   // nobody can guess it
///   const rouse::Id128 row = rouse::uuid7();       // sorts by time
///   const std::string token = rouse::random_string(22);
/// @endcode
//
// Cost: a number or a cycle id one atomic addition; where several threads ask, a leased number a
//   part of it; a name, a uuid4 or a uuid7 some tens of nanoseconds. docs/benchmarks.md has the
//   figures.

#include "rouse/resource/cycle_id.hpp"
#include "rouse/resource/id128.hpp"
#include "rouse/resource/name_generator.hpp"
#include "rouse/resource/number_generator.hpp"
#include "rouse/resource/random_id.hpp"
