#include "detail/usable_cpus.hpp"

#include "support/faults/faults.hpp"
#include "support/on_cpu.hpp"
#include "support/temporary_directory.hpp"

#include <sched.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <string_view>
#include <thread>

#include <gtest/gtest.h>

namespace {

using rouse::detail::cpu_quota;
using rouse::detail::no_cpu_quota;
using rouse::detail::usable_cpus;

// The files of a machine on which nothing limits this process, until a test writes them.
class Machine {
 public:
  void memberships(std::string_view text) const { root_.write("proc/self/cgroup", text); }
  void mounts(std::string_view text) const { root_.write("proc/self/mountinfo", text); }
  void file(std::string_view path, std::string_view text) const { root_.write(path, text); }
  [[nodiscard]] unsigned quota() const { return cpu_quota(root_.path().native()); }
  [[nodiscard]] unsigned usable() const { return usable_cpus(root_.path().native()); }

 private:
  rouse::test::TemporaryDirectory root_;
};

// This process is in /a/b of the hierarchy of version 2.
class Version2 : public Machine {
 public:
  Version2() {
    memberships("0::/a/b\n");
    mounts(
        "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n"
        "31 22 0:28 / /sys/fs/cgroup rw,nosuid shared:9 master:2 - cgroup2 cgroup2 rw\n");
  }
  void cpu_max(std::string_view cgroup, std::string_view text) const {
    file("sys/fs/cgroup" + std::string(cgroup) + "/cpu.max", text);
  }
};

// This process is in /a of the hierarchy of version 1 that has the quotas, and in /m of another.
class Version1 : public Machine {
 public:
  Version1() {
    memberships("7:memory:/m\n4:cpu,cpuacct:/a\n1:name=systemd:/init\n");
    mounts(
        "32 31 0:29 / /cgroup/memory rw - cgroup cgroup rw,memory\n"
        "33 31 0:30 / /cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
        "34 31 0:31 / /cgroup/cpuset rw - cgroup cgroup rw,cpuset\n");
  }
  void quota_and_period(std::string_view cgroup, std::string_view quota,
                        std::string_view period) const {
    file(std::string(cgroup) + "/cpu.cfs_quota_us", quota);
    file(std::string(cgroup) + "/cpu.cfs_period_us", period);
  }
};

TEST(CpuQuota, IsNoneWithoutFiles) { EXPECT_EQ(Machine().quota(), no_cpu_quota); }

TEST(CpuQuota, IsNoneWithoutCgroups) {
  const Machine machine;
  machine.memberships("");
  machine.mounts("22 1 8:1 / / rw - ext4 /dev/sda1 rw\n");
  EXPECT_EQ(machine.quota(), no_cpu_quota);
}

TEST(CpuQuota, IsRoundedUp) {
  const Version2 machine;
  machine.cpu_max("/a/b", "300000 100000\n");
  EXPECT_EQ(machine.quota(), 3U);
  machine.cpu_max("/a/b", "300001 100000\n");
  EXPECT_EQ(machine.quota(), 4U);
  machine.cpu_max("/a/b", "1000 100000\n");
  EXPECT_EQ(machine.quota(), 1U);
}

TEST(CpuQuota, IsTheLowestOfAllCgroupsAbove) {
  const Version2 machine;
  machine.cpu_max("/a/b", "800000 100000\n");
  EXPECT_EQ(machine.quota(), 8U);
  machine.cpu_max("/a", "600000 100000\n");
  EXPECT_EQ(machine.quota(), 6U);
  machine.cpu_max("", "100000 50000\n");
  EXPECT_EQ(machine.quota(), 2U);
  machine.cpu_max("/a/b", "max 100000\n");
  EXPECT_EQ(machine.quota(), 2U);
}

TEST(CpuQuota, IsNotThatOfOtherCgroups) {
  const Version2 machine;
  machine.cpu_max("/a/b/c", "100000 100000\n");
  machine.cpu_max("/b", "100000 100000\n");
  EXPECT_EQ(machine.quota(), no_cpu_quota);
}

TEST(CpuQuota, OfVersion1IsReadWhereTheCpuControllerIs) {
  const Version1 machine;
  machine.quota_and_period("cgroup/memory/m", "100000\n", "100000\n");
  machine.quota_and_period("cgroup/cpuset/a", "100000\n", "100000\n");
  EXPECT_EQ(machine.quota(), no_cpu_quota);
  machine.quota_and_period("cgroup/cpu,cpuacct/a", "500000\n", "100000\n");
  EXPECT_EQ(machine.quota(), 5U);
  machine.quota_and_period("cgroup/cpu,cpuacct", "300000\n", "100000\n");
  EXPECT_EQ(machine.quota(), 3U);
  machine.quota_and_period("cgroup/cpu,cpuacct", "-1\n", "100000\n");
  EXPECT_EQ(machine.quota(), 5U);
}

TEST(CpuQuota, IsFoundWithBothVersionsMounted) {
  const Machine machine;
  machine.memberships("4:cpu:/v1\n0::/v2\n");
  machine.mounts(
      "32 31 0:29 / /cgroup/cpu rw - cgroup cgroup rw,cpu\n"
      "41 31 0:38 / /cgroup/unified rw - cgroup2 cgroup2 rw\n");
  machine.file("cgroup/cpu/v1/cpu.cfs_quota_us", "200000\n");
  machine.file("cgroup/cpu/v1/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(machine.quota(), 2U);
  machine.file("cgroup/unified/v2/cpu.max", "100000 100000\n");
  EXPECT_EQ(machine.quota(), 1U);
}

TEST(CpuQuota, IsFoundInAContainer) {
  const Machine machine;
  machine.memberships("0::/docker/1f/app\n");
  machine.mounts("31 22 0:28 /docker/1f /sys/fs/cgroup ro - cgroup2 cgroup2 rw\n");
  machine.file("sys/fs/cgroup/app/cpu.max", "300000 100000\n");
  EXPECT_EQ(machine.quota(), 3U);
  machine.file("sys/fs/cgroup/cpu.max", "200000 100000\n");
  EXPECT_EQ(machine.quota(), 2U);
}

TEST(CpuQuota, IsNotTakenFromACgroupThatIsNotAbove) {
  for (const char* const membership :
       {"0::/docker/1\n", "0::/docker/1ff\n", "0::/\n", "0::/docker/1f/../2e\n"}) {
    SCOPED_TRACE(membership);
    const Machine machine;
    machine.memberships(membership);
    machine.mounts("31 22 0:28 /docker/1f /sys/fs/cgroup ro - cgroup2 cgroup2 rw\n");
    machine.file("sys/fs/cgroup/cpu.max", "100000 100000\n");
    EXPECT_EQ(machine.quota(), no_cpu_quota);
  }
}

TEST(CpuQuota, IsFoundUnderUnusualNames) {
  const Machine machine;
  machine.memberships("0::/a b:c\n");
  machine.mounts("31 22 0:28 /a\\040b:c /odd\\134path\\0 rw - cgroup2 none rw\n");
  machine.file("odd\\path\\0/cpu.max", "100000 100000\n");
  EXPECT_EQ(machine.quota(), 1U);
}

TEST(CpuQuota, IsNoneWhereTheFileMakesNoSense) {
  const Version2 machine;
  for (const char* const text :
       {"", "\n", "max", "200000", "200000 ", "0 100000", "-1 100000", "200000 0", "200000 -1",
        "2e5 100000", "200000 100000 1", "99999999999999999999 100000", "200000,100000"}) {
    SCOPED_TRACE(text);
    machine.cpu_max("/a/b", text);
    EXPECT_EQ(machine.quota(), no_cpu_quota);
  }
  machine.cpu_max("/a/b", "18446744073709551615 1");
  EXPECT_EQ(machine.quota(), no_cpu_quota);
}

TEST(CpuQuota, IsNoneWhereAFileIsADirectory) {
  const Version2 machine;
  machine.cpu_max("/a/b/cpu.max", "100000 100000\n");
  EXPECT_EQ(machine.quota(), no_cpu_quota);
}

TEST(CpuQuota, IsFoundAmongLinesThatMakeNoSense) {
  const Machine machine;
  machine.memberships("\n0\n0:\n:\n::\n0::\n0:cpu\n0::a\nx\n0::/a\n");
  machine.mounts(
      "\n-\n - \n31 22 0:28 / /x rw -\n31 22 0:28 / /x rw - cgroup2 none\n"
      "31 22 0:28 - cgroup2 none rw\n31 22 0:28 / /cgroup rw - cgroup2 none rw\n");
  machine.file("x/a/cpu.max", "100000 100000\n");
  machine.file("cgroup/a/cpu.max", "200000 100000\n");
  EXPECT_EQ(machine.quota(), 2U);
}

TEST(CpuQuota, IsNoneWhereThereIsNoMemoryToReadIt) {
  const Version2 machine;
  machine.cpu_max("/a/b", "200000 100000\n");
  const auto failing = rouse::test::fail_each(
      rouse::test::Call::allocation, ENOMEM, [&](const rouse::test::Fault& fault) {
        const unsigned quota = machine.quota();
        EXPECT_EQ(quota, fault.reached() ? no_cpu_quota : 2U);
      });
  EXPECT_GT(failing, 0);
}

TEST(UsableCpus, AreThoseOfTheAffinityMask) {
  ::cpu_set_t mask;
  ASSERT_EQ(::sched_getaffinity(0, sizeof mask, &mask), 0);
  const Machine machine;
  EXPECT_EQ(machine.usable(), static_cast<unsigned>(CPU_COUNT(&mask)));
  // Tests run on the process's first thread.
  ASSERT_EQ(::gettid(), ::getpid());
  const rouse::test::OnCpu pinned(0);
  EXPECT_EQ(machine.usable(), 1U);
}

TEST(UsableCpus, AreThoseOfTheProcessEvenIfTheCallerIsPinned) {
  const Machine machine;
  const unsigned before = machine.usable();
  unsigned pinned = 0;
  std::jthread([&] {
    const rouse::test::OnCpu on_cpu(0);
    pinned = machine.usable();
  }).join();
  EXPECT_EQ(pinned, before);
}

TEST(UsableCpus, AreNoMoreThanTheQuota) {
  const Version2 machine;
  machine.cpu_max("/a", "50000 100000\n");
  EXPECT_EQ(machine.usable(), 1U);
  machine.cpu_max("/a", "99900000 100000\n");
  EXPECT_EQ(machine.usable(), Machine().usable());
}

TEST(UsableCpus, OfThisMachineAreAtLeastOne) { EXPECT_GE(usable_cpus(), 1U); }

}  // namespace
