// Loads the plug-ins that are named, uses each in a thread that outlives the plug-in's unloading.
// Linked with plugin.cpp it uses rouse itself too.

#include <dlfcn.h>

#include <cstdio>
#include <future>
#include <thread>

extern "C" [[gnu::weak]] bool plugin_use();

int main(int argc, char** argv) {
  if (plugin_use != nullptr && !plugin_use()) return 1;
  for (int i = 1; i < argc; ++i) {
    void* const plugin = ::dlopen(argv[i], RTLD_NOW | RTLD_LOCAL);
    if (plugin == nullptr) {
      std::fprintf(stderr, "host: %s\n", ::dlerror());
      return 1;
    }
    auto* const use = reinterpret_cast<bool (*)()>(::dlsym(plugin, "plugin_use"));
    if (use == nullptr) return 1;

    std::promise<bool> used;
    std::promise<void> unloaded;
    std::thread thread([&] {
      used.set_value(use());
      unloaded.get_future().wait();
    });  // here it gives back what its waits needed
    const bool good = used.get_future().get();
    ::dlclose(plugin);
    unloaded.set_value();
    thread.join();
    if (!good) return 1;
  }
  return 0;
}
