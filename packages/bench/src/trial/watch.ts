// Watches a child process from outside while it works: its resident set, and on an NVIDIA device its memory there, the
// device's power, and who else uses it. What the process knows of itself is in run-trial.ts.
import { contentionWarning, readCpu, type CpuCounters } from '../measure/contention.js'
import { memoryOf } from '../measure/memory.js'
import { nvidiaProcesses, nvidiaWatts } from '../measure/nvidia.js'

export interface Observed {
  /** Linux only. */
  readonly sampledPeakRssBytes?: number
  /** Device memory of the process, NVIDIA only. */
  readonly devicePeakBytes?: number
  /** Mean power of the device while steps were timed, NVIDIA only. */
  readonly deviceWatts?: number
  /** Warning for the record if other processes kept the cores busy while steps were timed. Linux only. */
  readonly busyCores?: string
  /** Processes that used the device too. */
  readonly othersOnDevice: readonly number[]
}

const SAMPLE_EVERY_MS = 20
/** Samples of memory for each sample of the counters of cores. */
const SAMPLES_PER_CPU = 5
/** nvidia-smi takes tens of milliseconds of a core. */
const DEVICE_EVERY_MS = 500

export interface WatchOptions {
  readonly watchDevice: boolean
  readonly onRss: (bytes: number) => void
  /** The child's current phase of work. */
  readonly phase: () => string
}

export class Watch {
  readonly #pid: number
  readonly #options: WatchOptions
  readonly #sampler: NodeJS.Timeout
  #peakRss = 0
  #samples = 0
  #cpuBefore: CpuCounters | undefined
  #cpuAfter: CpuCounters | undefined
  #deviceTimer: NodeJS.Timeout | undefined
  #stopped = false
  #isHostOnly = false
  #devicePeak = 0
  #before: ReadonlySet<number> | undefined
  readonly #others = new Set<number>()
  readonly #watts: number[] = []

  constructor(pid: number, options: WatchOptions) {
    this.#pid = pid
    this.#options = options
    this.#sampler = setInterval(() => {
      const rssBytes = memoryOf(pid)?.rssBytes ?? 0
      this.#peakRss = Math.max(this.#peakRss, rssBytes)
      options.onRss(rssBytes)
      if (this.#samples++ % SAMPLES_PER_CPU === 0) this.#sampleCpu()
    }, SAMPLE_EVERY_MS)
    if (options.watchDevice) void this.#watchDevice()
  }

  #sampleCpu(): void {
    if (!this.#options.phase().startsWith('timing')) return
    const counters = readCpu(this.#pid)
    this.#cpuBefore ??= counters
    this.#cpuAfter = counters ?? this.#cpuAfter
  }

  /** Largest resident set seen so far, in bytes. */
  get peakRss(): number {
    return this.#peakRss
  }

  /** Stops asking the driver, which costs time of the CPU that a backend in host memory computes on. */
  endDeviceWatch(): void {
    this.#isHostOnly = true
    clearTimeout(this.#deviceTimer)
    this.#devicePeak = 0
    this.#others.clear()
    this.#watts.length = 0
  }

  stop(): Observed {
    this.#stopped = true
    clearInterval(this.#sampler)
    clearTimeout(this.#deviceTimer)
    const busyCores =
      this.#cpuBefore && this.#cpuAfter && contentionWarning(this.#cpuBefore, this.#cpuAfter)
    const watts = this.#watts.reduce((sum, value) => sum + value, 0) / this.#watts.length
    return {
      ...(this.#peakRss === 0 ? {} : { sampledPeakRssBytes: this.#peakRss }),
      ...(this.#devicePeak === 0 ? {} : { devicePeakBytes: this.#devicePeak }),
      ...(this.#watts.length === 0 ? {} : { deviceWatts: watts }),
      ...(busyCores === undefined ? {} : { busyCores }),
      othersOnDevice: [...this.#others],
    }
  }

  async #watchDevice(): Promise<void> {
    const processes = await nvidiaProcesses()
    if (this.#isHostOnly) return
    // Who is there before the child has loaded its runtime is somebody else, and all others are where the child is listed. In a
    // container the driver may know the child by another number, so that number alone would not tell.
    this.#before ??= new Set(processes.keys())
    const listed = processes.has(this.#pid)
    for (const [pid, bytes] of processes)
      if (pid !== this.#pid && (listed || this.#before.has(pid))) this.#others.add(pid)
      else this.#devicePeak = Math.max(this.#devicePeak, bytes)
    if (this.#options.phase().startsWith('timing')) {
      const watts = await nvidiaWatts()
      if (watts !== undefined) this.#watts.push(watts)
    }
    if (!this.#stopped && !this.#isHostOnly)
      this.#deviceTimer = setTimeout(() => void this.#watchDevice(), DEVICE_EVERY_MS)
  }
}
