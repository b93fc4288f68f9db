// Time limits.

/** The promise, but no later than after `ms`: then it rejects with `error`. */
export async function limited<T>(work: Promise<T>, ms: number, error?: () => Error): Promise<T> {
  let timer: ReturnType<typeof setTimeout>;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(error?.() ?? new Error(`not done within ${ms} ms`)), ms);
  });
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
}
