/** Counters and histograms of the server in the Prometheus text format (version 0.0.4). */
import type { ServingStats } from '../engine/serving.ts'

const SECONDS = [0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300]

class Histogram {
  readonly #counts = new Array<number>(SECONDS.length + 1).fill(0)
  #sum = 0

  observe(seconds: number): void {
    const bucket = SECONDS.findIndex(limit => seconds <= limit)
    this.#counts[bucket < 0 ? SECONDS.length : bucket]!++
    this.#sum += seconds
  }

  lines(name: string): string[] {
    let total = 0
    const buckets = [...SECONDS.map(String), '+Inf'].map((limit, i) => {
      total += this.#counts[i] as number
      return `${name}_bucket{le="${limit}"} ${total}`
    })
    return [
      `# TYPE ${name} histogram`,
      ...buckets,
      `${name}_sum ${this.#sum}`,
      `${name}_count ${total}`,
    ]
  }
}

export class Metrics {
  readonly #requests = new Map<string, number>()
  readonly #duration = new Histogram()
  readonly #firstToken = new Histogram()
  #prompt = 0
  #generated = 0

  promptTokens(count: number): void {
    this.#prompt += count
  }
  generatedToken(): void {
    this.#generated++
  }
  /** Seconds from a request's arrival to its first token. */
  firstToken(seconds: number): void {
    this.#firstToken.observe(seconds)
  }
  /** A response has ended: its endpoint, its status, and how long it took. */
  request(endpoint: string, status: number | 'cancelled', seconds: number): void {
    const key = `endpoint="${endpoint}",status="${status}"`
    this.#requests.set(key, (this.#requests.get(key) ?? 0) + 1)
    this.#duration.observe(seconds)
  }

  text(stats: ServingStats): string {
    const counter = (name: string, value: number): string[] => [
      `# TYPE kogrpo_${name}_total counter`,
      `kogrpo_${name}_total ${value}`,
    ]
    const gauge = (name: string, value: number): string[] => [
      `# TYPE kogrpo_${name} gauge`,
      `kogrpo_${name} ${value}`,
    ]
    return [
      '# TYPE kogrpo_requests_total counter',
      ...[...this.#requests].map(([labels, n]) => `kogrpo_requests_total{${labels}} ${n}`),
      ...counter('prompt_tokens', this.#prompt),
      ...counter('generated_tokens', this.#generated),
      ...counter('prompt_rows', stats.promptRows),
      ...counter('prefix_rows', stats.prefixRows),
      ...counter('preemptions', stats.preemptions),
      ...counter('engine_steps', stats.steps),
      ...gauge('sequences_running', stats.running),
      ...gauge('sequences_waiting', stats.waiting),
      ...gauge('cache_pages', stats.pages),
      ...gauge('cache_pages_used', stats.pagesUsed),
      ...gauge('cache_pages_kept', stats.pagesKept),
      ...this.#duration.lines('kogrpo_request_seconds'),
      ...this.#firstToken.lines('kogrpo_first_token_seconds'),
      '',
    ].join('\n')
  }
}
