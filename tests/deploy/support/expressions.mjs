// The metrics of the relay that a PromQL expression reads.

/** Every metric of the relay with the labels that the expression selects: [{name, labels: name -> values}]. */
export function metricsIn(expression) {
  return [...expression.matchAll(/\b((?:verbatim|process)_\w+?)(?:_bucket|_sum|_count)?\b(?:\{([^}]*)\})?/g)].map(([, name, selector = '']) => ({
    name,
    labels: Object.fromEntries(
      [...selector.matchAll(/(\w+)(?:=|!=|=~|!~)"([^"]*)"/g)]
        .filter(([, label]) => !['job', 'instance'].includes(label))
        .map(([, label, value]) => [label, value.split('|')]),
    ),
  }));
}
