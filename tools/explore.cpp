// A page to draw on, served to this machine alone: what the network makes of it, while one draws.
#include "cli.h"
#include "explain/explorer.h"

#include <httplib.h>
#include <nlohmann/json.hpp>

#include <csignal>
#include <mutex>
#include <thread>

namespace {

using namespace mereo;

constexpr std::string_view page =
#include "explore/index.html.h"
    ;
constexpr std::string_view style =
#include "explain/report.css.h"
#include "explore/explore.css.h"
    ;
constexpr std::string_view script =
#include "explore/explore.js.h"
    ;

constexpr std::size_t most_bytes = std::size_t{8} << 20;

void complain(httplib::Response& response, int status, const std::string& problem) {
  const nlohmann::json answer = {{"error", problem}};
  response.status = status;
  response.set_content(answer.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace),
                       "application/json");
}

/// Another site may lead its own name to this machine, and read the answers as its own.
bool asked_here(const httplib::Request& request) {
  const std::string host = request.get_header_value("Host");
  const std::string name = host.substr(0, host.rfind(':'));
  return name == "127.0.0.1" || name == "localhost";
}

class Site {
public:
  explicit Site(Explorer& explorer) : explorer_(explorer) {
    server_.new_task_queue = [] { return new httplib::ThreadPool(4); };
    // An idle browser must not hold a thread, and nobody else's program the same port.
    server_.set_keep_alive_max_count(1);
    server_.set_read_timeout(5);
    server_.set_write_timeout(5);
    server_.set_payload_max_length(most_bytes);
    server_.set_socket_options([](socket_t socket) {
      const int yes = 1;
      setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    });
    server_.set_default_headers(
        {{"Content-Security-Policy",
          "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'"},
         {"X-Content-Type-Options", "nosniff"},
         {"Cache-Control", "no-store"}});
    server_.set_pre_routing_handler([](const auto& request, auto& response) {
      if (asked_here(request))
        return httplib::Server::HandlerResponse::Unhandled;
      complain(response, 403, "ask for 127.0.0.1");
      return httplib::Server::HandlerResponse::Handled;
    });
    server_.set_error_handler([](const auto&, auto& response) {
      if (response.body.empty())
        complain(response, response.status, "there is no answer to this");
    });
    give("/", page, "text/html; charset=utf-8");
    give("/explore.css", style, "text/css");
    give("/explore.js", script, "text/javascript");
    server_.Get("/about", [this](const auto&, auto& response) {
      answer(response, [this] { return explorer_.about(); });
    });
    server_.Post("/explain", [this](const auto& request, auto& response) {
      answer(response, [&] { return explorer_.explain(request.body); });
    });
    server_.Post("/read", [this](const auto& request, auto& response) {
      answer(response, [&] { return explorer_.read(request.body); });
    });
  }

  /// Returns the port. Throws Error when it is taken.
  int bind(int port) {
    const int bound = port == 0 ? server_.bind_to_any_port("127.0.0.1")
                      : server_.bind_to_port("127.0.0.1", port) ? port
                                                                : -1;
    if (bound < 0)
      throw Error("127.0.0.1:" + std::to_string(port), "cannot listen on this port", "",
                  "choose another one with --port");
    return bound;
  }

  /// Until stop() is called, which any thread may.
  void serve() { server_.listen_after_bind(); }
  void stop() { server_.stop(); }

private:
  void give(const char* path, std::string_view content, const char* type) {
    server_.Get(path, [=](const auto&, auto& response) {
      response.set_content(content.data(), content.size(), type);
    });
  }

  /// One question at a time.
  template <class Body> void answer(httplib::Response& response, const Body& body) {
    const std::lock_guard turn(mutex_);
    try {
      response.set_content(body(), "application/json");
    } catch (const Error& error) {
      complain(response, 400, error.what());
    } catch (const std::bad_alloc&) {
      complain(response, 503, "out of memory");
    }
  }

  Explorer& explorer_;
  std::mutex mutex_;
  httplib::Server server_;
};

int run(int argc, char** argv) {
  std::string checkpoint;
  int port = 8017, threads = 1;
  CLI::App app("Serves a page, to this machine alone, on which one draws, drops a picture or moves "
               "the dimensions of a pose and sees at once what the network makes of it. Ctrl-C "
               "ends it.");
  app.add_option("CHECKPOINT", checkpoint, "A .safetensors file or a run folder (its best one)")
      ->required();
  app.add_option("--port", port, "Where on 127.0.0.1; 0: any free one")
      ->check(cli::whole(0, 65535))
      ->capture_default_str();
  cli::add_threads(app, threads);
  if (const auto code = cli::parse(app, argc, argv))
    return *code;
  // Before any thread is made, so that in all of them signals wait for the one that asks for them.
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGINT, SIGTERM})
    sigaddset(&signals, signal);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  set_threads(threads);

  const LoadedModel loaded = load_model(cli::checkpoint_path(checkpoint));
  Explorer explorer(loaded, checkpoint);
  Site site(explorer);
  port = site.bind(port);

  std::thread waiter([&] {
    int signal;
    sigwait(&signals, &signal);
    site.stop();
  });
  std::printf("http://127.0.0.1:%d/  (Ctrl-C ends it)\n", port);
  std::fflush(stdout);
  site.serve();
  pthread_kill(waiter.native_handle(), SIGTERM); // where it ended by itself
  waiter.join();
  return 0;
}

} // namespace

int main(int argc, char** argv) {
  return cli::guarded(argv[0], [&] { return run(argc, argv); });
}
