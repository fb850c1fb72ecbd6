// A page to draw on, served to this machine alone: what the network makes of it, while one draws.
#include "cli.h"
#include "explain/explorer.h"

#include <httplib.h>
#include <nlohmann/json.hpp>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <future>
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
/// In which a question has to come, and in which the program ends.
constexpr std::chrono::seconds patience(10), farewell(2);
/// Whoever dawdles holds one; a browser takes six.
constexpr std::size_t connections = 32;

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

/// httplib keeps whatever else comes with a body, of any size.
bool may_be_read(const httplib::Request& request) {
  return request.method == "GET" || request.method == "HEAD" ||
         (request.method == "POST" && (request.path == "/explain" || request.path == "/read") &&
          !request.is_multipart_form_data());
}

class Site {
public:
  explicit Site(Explorer& explorer) : explorer_(explorer) {
    server_.new_task_queue = [] { return new httplib::ThreadPool(connections); };
    // An idle browser must not hold a thread, and nobody else's program the same port.
    server_.set_keep_alive_max_count(1);
    server_.set_read_timeout(5);
    server_.set_write_timeout(5);
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
      if (!asked_here(request))
        complain(response, 403, "ask for 127.0.0.1");
      else if (!may_be_read(request))
        complain(response, 404, "there is no answer to this");
      else
        return httplib::Server::HandlerResponse::Unhandled;
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
    take("/explain", [this](const std::string& body) { return explorer_.explain(body); });
    take("/read", [this](const std::string& body) { return explorer_.read(body); });
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

  /// Reads what is sent itself: httplib bounds neither what has no length stated, or is compressed,
  /// nor the time.
  template <class Ask> void take(const char* path, const Ask& ask) {
    server_.Post(path, [=, this](const httplib::Request&, httplib::Response& response,
                                 const httplib::ContentReader& content) {
      const auto end = std::chrono::steady_clock::now() + patience;
      std::string body;
      bool fits = true;
      const bool whole = content([&](const char* data, std::size_t size) {
        fits = fits && size <= most_bytes - body.size();
        if (fits)
          body.append(data, size);
        // What is too much is read all the same: only then does the answer arrive.
        return std::chrono::steady_clock::now() < end;
      });
      if (!fits)
        complain(response, 413, "more than " + std::to_string(most_bytes >> 20) + " MiB");
      else if (!whole)
        complain(response, 400, "the question did not come whole");
      else
        answer(response, [&] { return ask(body); });
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

  std::promise<void> served;
  std::thread waiter([&] {
    int signal;
    sigwait(&signals, &signal);
    site.stop();
    // Which waits for whoever is being answered, or dawdles.
    if (served.get_future().wait_for(farewell) != std::future_status::ready)
      std::_Exit(0);
  });
  std::printf("http://127.0.0.1:%d/  (Ctrl-C ends it)\n", port);
  std::fflush(stdout);
  site.serve();
  served.set_value();
  pthread_kill(waiter.native_handle(), SIGTERM); // where it ended by itself
  waiter.join();
  return 0;
}

} // namespace

int main(int argc, char** argv) {
  return cli::guarded(argv[0], [&] { return run(argc, argv); });
}
