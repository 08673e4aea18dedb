#include "engine.hpp"

#include "pool_engine.hpp"
#include "thread_engine.hpp"

#include <utility>

namespace health {

std::unique_ptr<Engine> make_engine(const Config& config, EngineHandlers handlers) {
  if (config.engine == EngineKind::threads) {
    return std::make_unique<ThreadEngine>(std::move(handlers));
  }
  return std::make_unique<PoolEngine>(config.most_at_once, std::move(handlers));
}

}  // namespace health
