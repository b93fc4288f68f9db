// Notices that the page's Content-Security-Policy forbids a connection: Chromium's WebSocket then never closes.

/** Returns a function that ends the watch. */
export function watchPolicy(host: string, forbidden: (directive: string) => void): () => void {
  const listener = ({ blockedURI, effectiveDirective }: SecurityPolicyViolationEvent) => {
    if (effectiveDirective !== 'connect-src') return;
    try {
      if (new URL(blockedURI).host === host) forbidden(effectiveDirective);
    } catch {
      // `inline`, `eval`: not an address.
    }
  };
  globalThis.addEventListener?.('securitypolicyviolation', listener as EventListener);
  return () => globalThis.removeEventListener?.('securitypolicyviolation', listener as EventListener);
}
