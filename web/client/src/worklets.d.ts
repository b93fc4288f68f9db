// The text of worklets/worklets.ts, as web/client/build makes it.
declare module 'verbatim-worklets' {
  const source: string;
  export default source;
}
