#include "model/schedule/scenarios/places.hpp"

#include "wait/parking_table.hpp"

#include <array>
#include <cstdlib>
#include <map>
#include <vector>

namespace rouse::test::model {
namespace {

constexpr unsigned buckets = 4;
constexpr unsigned per_bucket = 4;

struct alignas(bytes_at_address) Slot {
  unsigned char bytes[bytes_at_address];
};

Slot slots[16'384];

std::vector<std::array<void*, per_bucket>> find_addresses() {
  std::map<std::size_t, std::vector<void*>> by_bucket;
  std::vector<std::array<void*, per_bucket>> found;
  for (Slot& slot : slots) {
    auto& list = by_bucket[detail::ParkingTable::bucket_index(&slot)];
    list.push_back(&slot);
    if (list.size() == per_bucket) found.push_back({list[0], list[1], list[2], list[3]});
    if (found.size() == buckets) return found;
  }
  std::abort();
}

}  // namespace

void* address_in_bucket(unsigned bucket, unsigned n) {
  static const auto addresses = find_addresses();
  return addresses.at(bucket).at(n);
}

}  // namespace rouse::test::model
