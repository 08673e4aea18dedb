#include "rouse/wait/shield.hpp"

#include "wait/control_block.hpp"

namespace rouse {

Shield::Shield() { detail::ControlBlock::current().shield(); }

Shield::~Shield() { detail::ControlBlock::current_or_null()->unshield(); }

}  // namespace rouse
