#include "model/schedule/explorer.hpp"

#include "wait/control_block.hpp"

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <numeric>
#include <sstream>
#include <stdexcept>

namespace rouse::test::model {
namespace {

// Every other schedule is a random walk; the others are PCT (Burckhardt et al., ASPLOS 2010):
// random priorities, and at a few random steps the running thread's becomes the lowest.
class RandomStrategy : public Strategy {
 public:
  RandomStrategy(std::uint64_t seed, unsigned expected_steps) : seed_(seed) {
    walks_ = random(2) == 0;
    one_in_ = 2 + random(14);
    std::iota(priorities_.begin(), priorities_.end(), max_threads);
    for (std::size_t i = priorities_.size(); i-- > 1;) {
      std::swap(priorities_[i], priorities_[random(static_cast<unsigned>(i) + 1)]);
    }
    for (unsigned& change : changes_) change = random(std::max(1U, expected_steps));
  }

  unsigned pick(std::span<const int> candidates, Turn turn, unsigned step) override {
    if (walks_) {
      if (turn == Turn::may_go_on && random(one_in_) != 0) return 0;
      return random(static_cast<unsigned>(candidates.size()));
    }
    // Fair among those that spin, or two of them would wait for each other for ever.
    if (turn == Turn::spins) return 0;
    if (turn == Turn::may_go_on && std::ranges::find(changes_, step) != changes_.end()) {
      priority(candidates[0]) = --lowest_;
    }
    const auto best = std::ranges::max_element(
        candidates, {}, [this](int candidate) { return priority(candidate); });
    if (*best == clock_thread) priority(clock_thread) = --lowest_;
    return static_cast<unsigned>(best - candidates.begin());
  }

  unsigned choose(unsigned count, unsigned) override { return random(4) == 0 ? random(count) : 0; }

  std::string replay() const override { return "random:" + std::to_string(seed_); }

 private:
  int& priority(int thread) { return priorities_[static_cast<std::size_t>(thread + 1)]; }

  // SplitMix64 (Steele, Lea, Flood, 2014): a state of one word is quick to seed for each schedule.
  unsigned random(unsigned below) {
    std::uint64_t z = state_ += 0x9E3779B97F4A7C15;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
    return static_cast<unsigned>((z >> 32) * below >> 32);
  }

  std::uint64_t seed_;
  std::uint64_t state_ = seed_;
  bool walks_ = false;
  unsigned one_in_ = 2;
  std::array<int, max_threads + 1> priorities_{};
  std::array<unsigned, 4> changes_{};
  int lowest_ = 0;
};

// All schedules with at most so many preemptions (CHESS, Musuvathi and Qadeer, PLDI 2007), each
// with at most one outcome that is not the plain one: an old value, a wake-up for no reason.
class ExhaustiveStrategy : public Strategy {
 public:
  explicit ExhaustiveStrategy(unsigned preemptions) : preemptions_(preemptions) {}

  void begin() {
    position_ = 0;
    preempted_ = 0;
    odd_ = 0;
  }
  /// Leads to the next schedule; false if there is none.
  bool next() {
    path_.resize(position_);
    while (!path_.empty() && path_.back().chosen + 1 >= path_.back().count) path_.pop_back();
    if (path_.empty()) return false;
    ++path_.back().chosen;
    return true;
  }
  void restart() { path_.clear(); }

  unsigned pick(std::span<const int> candidates, Turn turn, unsigned step) override {
    if (turn == Turn::spins) return 0;
    if (turn == Turn::may_go_on && preempted_ == preemptions_) return 0;
    const unsigned chosen = decide(static_cast<unsigned>(candidates.size()), step);
    if (turn == Turn::may_go_on && chosen != 0) ++preempted_;
    return chosen;
  }

  unsigned choose(unsigned count, unsigned step) override {
    if (odd_ == odd_allowed) return 0;
    const unsigned chosen = decide(count, step);
    if (chosen != 0) ++odd_;
    return chosen;
  }

  std::string replay() const override {
    std::string text = "choices:";
    for (std::size_t i = 0; i < position_; ++i) {
      if (path_[i].chosen == 0) continue;
      text += std::to_string(path_[i].step) + "=" + std::to_string(path_[i].chosen) + ",";
    }
    return text;
  }

 private:
  struct Choice {
    unsigned step;
    unsigned chosen;
    unsigned count;
  };

  unsigned decide(unsigned count, unsigned step) {
    if (position_ == path_.size()) path_.push_back({step, 0, count});
    const Choice& choice = path_[position_++];
    if (choice.count != count || choice.step != step) {
      Scheduler::instance().fail("the scenario is not the same twice: exploring it is in vain");
    }
    return choice.chosen;
  }

  static constexpr unsigned odd_allowed = 1;

  unsigned preemptions_;
  std::vector<Choice> path_;
  std::size_t position_ = 0;
  unsigned preempted_ = 0;
  unsigned odd_ = 0;
};

// What an exhaustive search has found once more.
class ReplayStrategy : public Strategy {
 public:
  explicit ReplayStrategy(const std::string& choices) : choices_(choices) {
    std::istringstream in(choices);
    for (std::string word; std::getline(in, word, ',');) {
      const std::size_t equals = word.find('=');
      chosen_[static_cast<unsigned>(std::stoul(word))] =
          static_cast<unsigned>(std::stoul(word.substr(equals + 1)));
    }
  }

  unsigned pick(std::span<const int>, Turn, unsigned step) override { return at(step); }
  unsigned choose(unsigned, unsigned step) override { return at(step); }
  std::string replay() const override { return "choices:" + choices_; }

 private:
  unsigned at(unsigned step) const {
    const auto found = chosen_.find(step);
    return found == chosen_.end() ? 0 : found->second;
  }

  std::string choices_;
  std::map<unsigned, unsigned> chosen_;
};

// What a thread of an earlier schedule left in a block must not tell in the next.
void reset(detail::ControlBlock& block) {
  block.state.store(detail::ControlBlock::empty, std::memory_order_relaxed);
  block.last_waker_cpu.store(-1, std::memory_order_relaxed);
  block.event_fd.store(-1, std::memory_order_relaxed);
}

}  // namespace

void check(bool holds, const char* what) {
  if (!holds) Scheduler::instance().fail(std::string("does not hold: ") + what);
}

// The child's side. What it finds goes down the pipe: a letter, a space, and text to a zero byte.
class Explorer {
 public:
  Explorer(const Scenario& scenario, const Effort& effort, int out)
      : scenario_(scenario), effort_(effort), out_(out) {}

  [[noreturn]] void run() {
    ::alarm(effort_.seconds);
    scheduler_.set_weak_order(effort_.weak);
    scheduler_.set_mutant(effort_.mutant);
    scheduler_.on_worker_start = [this] { blocks_.push_back(&detail::ControlBlock::current()); };
    scheduler_.on_failure = [this](const std::string& report) {
      tell('F', report);
      finish();
    };
    if (const char* replay = std::getenv("ROUSE_MODEL_REPLAY")) {
      repeat(replay);
    } else {
      // First: it shows the exhaustive search which operations touch what is shared.
      random();
      exhaustive();
    }
    finish();
  }

 private:
  void one(Strategy& strategy) {
    for (detail::ControlBlock* block : blocks_) reset(*block);
    reset_pool();
    Model model;
    scenario_.build(model);
    scheduler_.cpus_differ = model.cpus_differ_;
    scheduler_.run(model.bodies_, strategy);
    for (const auto& check_end : model.at_end_) check_end();
  }

  // Threads that the scenario starts take their blocks from the pool.
  static void reset_pool() {
    std::array<detail::ControlBlock*, max_threads> blocks;
    for (auto& block : blocks) {
      block = detail::ControlBlock::acquire();
      reset(*block);
    }
    for (auto* block : blocks) detail::ControlBlock::release(block);
  }

  void random() {
    unsigned steps = 0;
    for (std::uint64_t i = 0; i < effort_.random; ++i) {
      RandomStrategy strategy(((effort_.seed + i) << 16) + std::min(steps, 65'535U), steps);
      one(strategy);
      steps = std::max(steps, scheduler_.steps());
      ++random_done_;
    }
  }

  void exhaustive() {
    scheduler_.switch_at_shared_only = true;
    for (unsigned bound = 1; bound <= effort_.preemptions; ++bound) {
      if (!exhaust(bound)) break;
      preemptions_ = bound;
    }
    scheduler_.switch_at_shared_only = false;
  }

  // False if that is too many schedules.
  bool exhaust(unsigned bound) {
    ExhaustiveStrategy strategy(bound);
    do {
      if (exhaustive_done_ == effort_.exhaustive) return false;
      strategy.begin();
      one(strategy);
      ++exhaustive_done_;
      // Switches may have been left out that matter: from the beginning.
      while (scheduler_.take_new_shared_site()) {
        strategy.restart();
        strategy.begin();
        one(strategy);
        ++exhaustive_done_;
      }
    } while (strategy.next());
    return true;
  }

  void repeat(const std::string& what) {
    const std::size_t colon = what.find(':');
    const std::string argument = what.substr(colon + 1);
    if (what.starts_with("random:")) {
      const std::uint64_t seed = std::stoull(argument);
      RandomStrategy strategy(seed, static_cast<unsigned>(seed & 0xFFFF));
      one(strategy);
    } else {
      ReplayStrategy strategy(argument);
      one(strategy);
    }
  }

  void tell(char kind, const std::string& text) {
    const std::string message = kind + text + '\0';
    for (std::size_t done = 0; done < message.size();) {
      const ssize_t n = ::write(out_, message.data() + done, message.size() - done);
      if (n <= 0) break;
      done += static_cast<std::size_t>(n);
    }
  }

  [[noreturn]] void finish() {
    for (const Site& site : scheduler_.sites()) {
      tell('S', std::string(1, site.kind) + " " + std::to_string(static_cast<int>(site.order)) +
                    " " + site.place + " " + site.name);
    }
    tell('D', std::to_string(random_done_) + " " + std::to_string(exhaustive_done_) + " " +
                  std::to_string(preemptions_));
    std::_Exit(0);
  }

  const Scenario& scenario_;
  const Effort& effort_;
  int out_;
  Scheduler& scheduler_ = Scheduler::instance();
  std::vector<detail::ControlBlock*> blocks_;
  std::uint64_t random_done_ = 0;
  std::uint64_t exhaustive_done_ = 0;
  unsigned preemptions_ = 0;
};

Exploration explore(const Scenario& scenario, const Effort& effort) {
  int fds[2];
  if (::pipe(fds) != 0) throw std::runtime_error("pipe");
  const pid_t child = ::fork();
  if (child == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::close(fds[0]);
    Explorer(scenario, effort, fds[1]).run();
  }
  ::close(fds[1]);
  std::string text;
  std::array<char, 65'536> buffer;
  for (ssize_t n; (n = ::read(fds[0], buffer.data(), buffer.size())) > 0;) {
    text.append(buffer.data(), static_cast<std::size_t>(n));
  }
  ::close(fds[0]);
  int status = 0;
  ::waitpid(child, &status, 0);

  Exploration result;
  bool done = false;
  std::istringstream in(text);
  for (std::string message; std::getline(in, message, '\0');) {
    std::istringstream words(message.substr(1));
    switch (message[0]) {
      case 'F':
        result.failed = true;
        result.report = message.substr(1);
        break;
      case 'S': {
        Site site{};
        int order = 0;
        words >> site.kind >> order >> site.place >> std::ws;
        site.order = static_cast<std::memory_order>(order);
        std::getline(words, site.name);
        result.sites.push_back(std::move(site));
        break;
      }
      default:
        words >> result.random >> result.exhaustive >> result.preemptions;
        done = true;
    }
  }
  if (!done) {
    result.failed = true;
    result.report += "the process ended with wait status " + std::to_string(status);
  }
  return result;
}

}  // namespace rouse::test::model
