// A relay whose fleet is a file: where sessions live is what the test wrote there. It runs the
// relay of the program beside it, with the same arguments, in this process.
//
//   FLEET=homes.json verbatim_static_fleet PROGRAM serve [--ready-file FILE] [--set KEY=VALUE]...
//
// The file, read at each question:
//   {"incarnation": 1, "homes": {"sess_1": {"incarnation": 2, "url": "https://localhost:8443"}},
//    "unknown": ["sess_2"]}
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <iostream>
#include <string>

#include "base/json/tree.hpp"
#include "server/app/app.hpp"

namespace {

using namespace verbatim;

class FileDirectory final : public relay::SessionDirectory {
 public:
  explicit FileDirectory(std::string file) : file_(std::move(file)) {}

  void find(const std::string& session_id, relay::Purpose,
            std::function<void(relay::SessionHome)> done) override {
    const Json fleet = read();
    relay::SessionHome home;
    home.where = relay::SessionHome::Where::nowhere;
    for (const Json& id : fleet.value("unknown", Json::array()))
      if (id == session_id) home.where = relay::SessionHome::Where::unknown;
    const Json homes = fleet.value("homes", Json::object());
    if (const auto node = homes.find(session_id); node != homes.end()) {
      home.node = {(*node)["incarnation"], (*node)["url"]};
      const bool own = home.node.incarnation == incarnation();
      home.where = own ? relay::SessionHome::Where::here : relay::SessionHome::Where::elsewhere;
    }
    done(home);
  }
  void forget(const std::string&) override {}
  std::int64_t incarnation() const override { return read().value("incarnation", 0); }

 private:
  Json read() const {
    std::ifstream in(file_);
    return Json::parse(in);
  }
  const std::string file_;
};

int serve(int argc, char** argv) {
  app::App::hold_reloads();
  app::App::Options options;
  for (int i = 3; i + 1 < argc; i += 2) {
    const std::string name = argv[i];
    if (name == "--ready-file") options.ready_file = argv[i + 1];
    if (name == "--set") options.sources.assignments.emplace_back(argv[i + 1]);
  }
  for (char** at = environ; *at != nullptr; ++at) options.sources.environment.emplace_back(*at);
  options.settings = config::load(options.sources);
  options.directory = std::make_shared<FileDirectory>(std::getenv("FLEET"));
  app::App relay(std::move(options));
  return relay.run();
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return serve(argc, argv);
  } catch (const std::exception& failed) {
    std::cerr << failed.what() << "\n";
    return 1;
  }
}
