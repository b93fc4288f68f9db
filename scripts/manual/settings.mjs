// The settings as config/verbatim.toml documents them.

/** [{name, about, keys: [{name, value, unset, about, accepts, changes}]}] in the order of the file. */
export function readSettings(text) {
  const sections = [];
  let comment = [];
  for (const line of text.split('\n')) {
    const heading = /^\[(\w+)\]$/.exec(line)?.[1];
    const key = /^(# )?(\w+) = (.+)$/.exec(line);
    if (heading) sections.push({ name: heading, about: '', keys: [] });
    if (key && sections.length > 0) addKey(sections.at(-1), key, comment);
    if (heading || key || line === '') comment = [];
    else comment.push(line.replace(/^# ?/, ''));
  }
  return sections;
}

function addKey(section, [, unset, name, value], comment) {
  const accepted = comment.findIndex((line) => line.startsWith('Accepts: '));
  // The last line says whether a running program takes a change over.
  const changes = comment.pop();
  const about = comment.slice(0, accepted);
  // A comment with an empty line in it begins with what holds for the whole section.
  const gap = about.indexOf('');
  if (gap >= 0) section.about = about.splice(0, gap + 1).join(' ').trim();
  section.keys.push({
    name,
    value,
    unset: Boolean(unset),
    about: about.join(' ').trim(),
    accepts: comment.slice(accepted).join(' ').replace('Accepts: ', ''),
    changes,
  });
}
