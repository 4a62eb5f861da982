// Times a training step with tinybench: warm-up, then samples with the device synchronised around each. All samples are kept.
import type { StepTimes } from '@embed-kd/records'
import { Bench } from 'tinybench'

export interface TimingPlan {
  /** Warm-up goes on until both are reached. */
  readonly warmupSteps: number
  readonly warmupSeconds: number
  /** Sampling goes on until both are reached. */
  readonly samples: number
  readonly seconds: number
}

/** What `measureSteps` times: `prepare` is not part of a sample. */
export interface TimedStep {
  prepare(): Promise<void>
  /** One step, the device's work included: it resolves when that is done. */
  step(): Promise<void>
}

/** @throws what the step throws. */
export async function measureSteps(timed: TimedStep, plan: TimingPlan): Promise<StepTimes> {
  const allSeconds: number[] = []
  const bench = new Bench({
    iterations: plan.samples,
    time: plan.seconds * 1000,
    warmupIterations: plan.warmupSteps,
    warmupTime: plan.warmupSeconds * 1000,
    throws: true,
  })
  bench.add(
    'step',
    async () => {
      const start = performance.now()
      await timed.step()
      allSeconds.push((performance.now() - start) / 1000)
    },
    { beforeEach: () => timed.prepare() },
  )
  const [task] = await bench.run()
  const result = task!.result
  if (result.state !== 'completed') throw new Error(`timing ended as ${result.state}`)
  // tinybench sorts the samples it keeps; ours are in the order of time, so that drift can be seen.
  const stepSeconds = allSeconds.slice(-result.latency.samplesCount)
  return { warmupSteps: allSeconds.length - stepSeconds.length, stepSeconds }
}
