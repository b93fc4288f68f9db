// Debian's Prometheus with the configuration and the rules of deploy/prometheus/.
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import { request, temporaryDirectory } from '../../e2e/support/verbatim.mjs';
import { Background, inTree } from './programs.mjs';

/** `deploy/prometheus/prometheus.yaml` with another target (a URL), scraped often. */
function configuration(directory, target) {
  const { protocol, host } = new URL(target);
  const config = parse(readFileSync(inTree('deploy/prometheus/prometheus.yaml'), 'utf8'));
  Object.assign(config.global, { scrape_interval: '200ms', scrape_timeout: '200ms', evaluation_interval: '200ms' });
  config.scrape_configs[0].static_configs[0].targets = [host];
  if (protocol === 'https:') Object.assign(config.scrape_configs[0], { scheme: 'https', tls_config: { insecure_skip_verify: true } });
  for (const rules of config.rule_files) copyFileSync(inTree(`deploy/prometheus/${rules}`), join(directory, rules));
  const file = join(directory, 'prometheus.yaml');
  writeFileSync(file, stringify(config));
  return file;
}

export class Prometheus {
  static async start(t, target) {
    const prometheus = new Prometheus();
    const directory = temporaryDirectory(t);
    const program = new Background(t, 'prometheus', [
      `--config.file=${configuration(directory, target)}`,
      `--storage.tsdb.path=${join(directory, 'data')}`,
      '--web.listen-address=127.0.0.1:0',
    ]);
    const [, address] = await program.printed(/msg="Listening on" address=(\S+)/);
    prometheus.url = `http://${address}`;
    await program.printed(/Server is ready/);
    return prometheus;
  }

  async #get(path) {
    const { status, json, text } = await request(`${this.url}/api/v1/${path}`);
    if (status !== 200) throw new Error(`${path}: ${status} ${text}`);
    return json.data;
  }

  /** Values of an instant query, by series. */
  async query(expression) {
    const { result } = await this.#get(`query?query=${encodeURIComponent(expression)}`);
    return result.map(({ metric, value: [, value] }) => ({ metric, value: Number(value) }));
  }

  /** Rules as Prometheus loaded and evaluated them. */
  async rules() {
    const { groups } = await this.#get('rules');
    return groups.flatMap(({ rules }) => rules);
  }
}
