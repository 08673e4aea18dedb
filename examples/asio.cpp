// rouse and Boost.Asio: a coroutine and a strand on a ThreadPool, and a wait for an Event that
// holds no thread.

#include <rouse/asio.hpp>

#include <chrono>
#include <cstdio>
#include <future>
#include <stop_token>

#include <boost/asio/bind_executor.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>

using namespace std::chrono_literals;

namespace {

namespace asio = boost::asio;

// What goes through a strand is called one after the other, on whichever worker.
bool strand() {
  rouse::ThreadPool pool({.max_threads = 2});
  auto one_by_one = asio::make_strand(rouse::asio_executor(pool));
  int sum = 0;
  for (int i = 1; i <= 100; ++i) {
    asio::post(one_by_one, [&sum, i] { sum += i; });
  }
  pool.stop();
  std::printf("strand: the numbers from 1 to 100 add up to %d\n", sum);
  return sum == 5050;
}

// A handler of an io_context, which goes on running until the event is set or the stop requested.
bool handler(bool stops) {
  asio::io_context io;
  rouse::Event loaded;
  std::stop_source stop;
  boost::system::error_code outcome = asio::error::would_block;
  rouse::async_wait(
      loaded, stop.get_token(),
      asio::bind_executor(io, [&](boost::system::error_code error) { outcome = error; }));
  if (stops) {
    stop.request_stop();
  } else {
    loaded.set();
  }
  io.run();
  std::printf("handler: %s\n", outcome ? "stopped" : "loaded");
  return outcome == (stops ? asio::error::operation_aborted : boost::system::error_code());
}

#if defined(BOOST_ASIO_HAS_CO_AWAIT)

asio::awaitable<int> answer(rouse::Event& asked) {
  co_await rouse::async_wait(asked, asio::use_awaitable);
  co_return 42;
}

// Between its steps a coroutine holds no worker: one is enough for a thousand of them.
bool coroutines() {
  rouse::ThreadPool pool({.max_threads = 1});
  rouse::Event asked;
  std::future<int> result =
      asio::co_spawn(rouse::asio_executor(pool), answer(asked), asio::use_future);
  const bool early = result.wait_for(0s) == std::future_status::ready;
  asked.set();
  const int number = result.get();
  std::printf("coroutine: asked, it says %d\n", number);
  return !early && number == 42;
}

#else

bool coroutines() { return true; }

#endif

}  // namespace

int main() {
  const bool all_well = strand() && handler(false) && handler(true) && coroutines();
  return all_well ? 0 : 1;
}
