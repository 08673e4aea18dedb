#include "detail/one_copy.hpp"

#include "rouse/detail/thread_name.hpp"
#include "rouse/version.hpp"

#include <link.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstddef>
#include <cstring>
#include <string>
#include <string_view>

// Each copy carries an ELF note: it is found in whatever object the copy was linked into, however
// its symbols were hidden, and linkers do not drop it. Its owner and type are for ever, since
// copies of different versions must find each other; the description is the version, for people.
// In assembly, because gcc aligns an object of this size to more than a note may be aligned to.
asm(".pushsection .note.rouse, \"a\", %note\n"
    ".balign 4\n"
    ".globl rouse_copy_note\n"
    ".hidden rouse_copy_note\n"
    "rouse_copy_note:\n"
    ".long 6, 2f - 1f, 1\n"
    ".asciz \"rouse\"\n"
    ".balign 4\n"
    "1: .asciz \"" ROUSE_VERSION_STRING
    "\"\n"
    "2: .balign 4\n"
    ".popsection");
extern "C" [[gnu::visibility("hidden")]] const ElfW(Nhdr) rouse_copy_note;

namespace rouse::detail {
namespace {

using Note = ElfW(Nhdr);

constexpr char owner[] = "rouse";

constexpr std::size_t padded(std::size_t size) noexcept { return (size + 3) / 4 * 4; }

// The note of a copy in a segment of notes, or null.
const Note* find_note(const char* at, std::size_t size) noexcept {
  while (size >= sizeof(Note)) {
    const auto* note = reinterpret_cast<const Note*>(at);
    const std::size_t length = sizeof *note + padded(note->n_namesz) + padded(note->n_descsz);
    if (length > size) break;
    if (note->n_type == 1 && note->n_namesz == sizeof owner &&
        std::memcmp(at + sizeof *note, owner, sizeof owner) == 0) {
      return note;
    }
    at += length;
    size -= length;
  }
  return nullptr;
}

const Note* find_note(const dl_phdr_info& object) noexcept {
  for (const ElfW(Phdr)* segment = object.dlpi_phdr;
       segment != object.dlpi_phdr + object.dlpi_phnum; ++segment) {
    if (segment->p_type != PT_NOTE) continue;
    // NOLINTNEXTLINE(performance-no-int-to-ptr): so the loader tells where things are
    const auto* notes = reinterpret_cast<const char*>(object.dlpi_addr + segment->p_vaddr);
    if (const Note* note = find_note(notes, segment->p_memsz)) return note;
  }
  return nullptr;
}

std::string file_of(const char* object_name) {
  if (object_name[0] != '\0') return printable(object_name);
  char path[PATH_MAX];
  const ssize_t length = ::readlink("/proc/self/exe", path, sizeof path);
  return length < 0 ? "the program" : printable({path, static_cast<std::size_t>(length)});
}

std::string version_of(const Note& note) {
  const char* description = reinterpret_cast<const char*>(&note + 1) + padded(note.n_namesz);
  return printable({description, ::strnlen(description, note.n_descsz)});
}

// Called for the objects of the process in the order in which they were loaded, until it returns
// something else than 0. `context` is a string: "<version> in <file>" of the first copy but ours.
int look_at(dl_phdr_info* object, std::size_t, void* context) noexcept {
  auto& first = *static_cast<std::string*>(context);
  const Note* note = find_note(*object);
  if (note == nullptr) return 0;
  const bool ours = note == &rouse_copy_note;
  if (first.empty()) {
    if (ours) return 1;
    first = version_of(*note) + " in " + file_of(object->dlpi_name);
    return 0;
  }
  if (!ours) return 0;
  const std::string line =
      "rouse: two copies of the library in one process: " + first + ", and " + version_of(*note) +
      " in " + file_of(object->dlpi_name) +
      ". An event that is set through one does not wake who waits through the other, and a stop "
      "of one is not obeyed in the other. Link both with the shared library of rouse.\n";
  while (::write(STDERR_FILENO, line.data(), line.size()) < 0 && errno == EINTR) {
  }
  return 1;
}

}  // namespace

void report_other_copy() noexcept {
  std::string first;
  ::dl_iterate_phdr(&look_at, &first);
}

}  // namespace rouse::detail
