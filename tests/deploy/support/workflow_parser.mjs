// The forge's parser of workflows. It was written for bundlers: it imports JSON without saying that it is JSON.
import { register } from 'node:module';

const hooks = `export const load = (url, context, next) =>
  next(url, url.endsWith('.json') ? { ...context, importAttributes: { type: 'json' } } : context);`;
register(`data:text/javascript,${encodeURIComponent(hooks)}`);

export const { convertWorkflowTemplate, NoOperationTraceWriter, parseWorkflow } = await import('@actions/workflow-parser');
