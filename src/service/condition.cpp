#include "rouse/service/condition.hpp"

#include "service/condition_state.hpp"

#include <utility>

namespace rouse {

Condition::Condition(std::shared_ptr<detail::ConditionState> state) noexcept
    : state_(std::move(state)) {}

std::string Condition::describe() const { return state_->describe(); }

}  // namespace rouse
