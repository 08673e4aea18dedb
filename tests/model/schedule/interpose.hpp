#pragma once
// What code outside of the seam asks of the system, for the threads of a schedule: libstdc++'s stop
// callbacks wait by syscall(2), Boost makes and joins threads by pthread_create and pthread_join.
// The program's own definitions of these take the place of the C library's.

namespace rouse::test::model {

/// syscall(2) itself.
long real_syscall(long number, const void* a, long b, long c, const void* d);

}  // namespace rouse::test::model
