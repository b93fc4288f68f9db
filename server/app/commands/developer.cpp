// verbatim replay, verbatim simulate
#include <fstream>
#include <iostream>
#include <sstream>

#include "server/app/commands/families.hpp"
#include "server/app/simulator_app.hpp"
#include "session/protocol/recording.hpp"
#include "session/protocol/replay.hpp"
#include "session/transcript/render/render.hpp"
#include "simulator/profile.hpp"

namespace verbatim::app {

namespace {

struct ReplayOptions {
  std::string file;
  std::string format = "text";
};

void add_replay_options(CLI::App& parser, ReplayOptions& options) {
  parser.add_option("file", options.file, "recorded stream (JSON Lines)")->required();
  add_format(parser, options.format);
}

int replay(const Common& common, const ReplayOptions& options) {
  const std::string& path = options.file;
  const transcript::Format format =
      *transcript::format_from_string(common.as_json ? "json" : options.format);
  std::ifstream file(path, std::ios::binary);
  if (!file) return fail("cannot read " + path, exit_code::not_found);
  std::stringstream content;
  content << file.rdbuf();
  const protocol::Recording recording = protocol::read_recording(content.str());
  for (const auto& error : recording.errors) {
    std::cerr << "verbatim: " << path << ":" << error.line << ": " << error.message << "\n";
  }
  if (recording.events.empty())
    return fail(path + " contains no recorded event", exit_code::failed);
  print_transcript(transcript::render(protocol::replay(recording), format));
  if (format == transcript::Format::json) std::cout << "\n";
  return exit_code::ok;
}

struct SimulateOptions {
  SimulatorApp app;
  std::string listen = "127.0.0.1:8444";
};

void add_simulate_options(CLI::App& parser, SimulateOptions& options) {
  SimulatorApp& app = options.app;
  parser.add_option("--listen", options.listen, "host:port; port 0 picks a free one");
  parser.add_option("--recordings", app.recordings_dir, "directory of recorded streams");
  parser.add_option("--ready-file", app.ready_file, "file that gets {pid,url} when ready");
  parser.add_option("--pace", app.pace, "delay factor: 1 real time, 0 no delay")
      ->check(CLI::Range(0.0, 1000.0));
  parser.add_option("--seed", app.seed, "seed of all random choices");
  parser.add_option("--faults", app.faults, "faults to inject; see docs/simulator.md");
  parser
      .add_option("--profile", app.profile,
                  "provider to imitate: " + std::string(simulator::profile_names()))
      ->check(checked_by([](const std::string& name) { simulator::profile_named(name); }));
  parser.add_option("--received", app.received_file, "file for the clients' events, no audio");
  CLI::Option* certificate =
      parser.add_option("--cert", app.tls.cert_file, "serve TLS with this certificate");
  CLI::Option* key = parser.add_option("--key", app.tls.key_file, "its private key");
  certificate->needs(key);
  key->needs(certificate);
}

int simulate(const Common&, const SimulateOptions& options) {
  SimulatorApp app = options.app;
  config::Sources where;
  where.assignments = {"server.listen=" + options.listen};
  app.listen = config::load(where).server.listen;
  app.tls.enabled = !app.tls.cert_file.empty();
  return run_simulator(app);
}

}  // namespace

Family developer_commands() {
  return {"",
          "",
          {command("replay", "print a recorded stream's transcript", add_replay_options, replay,
                   Takes::json),
           command("simulate", "run a simulated provider", add_simulate_options, simulate,
                   Takes::nothing)}};
}

}  // namespace verbatim::app
