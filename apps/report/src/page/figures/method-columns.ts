// The columns of the fullest table of methods as panels of a figure: one panel a share of labels, one spot a method.
import {
  accuracy,
  type Configuration,
  counted,
  type Interval,
  intervalOf,
  type Method,
  methodTablesOf,
  methodTableTitle,
  summaryOf,
} from '@embed-kd/records'

/** A method's accuracy in a panel. */
export interface Spot {
  readonly method: Method
  readonly name: string
  /** In percent. */
  readonly accuracy: number
  /** In percent; 95 %. */
  readonly interval: Interval
  /** Number of seeds. */
  readonly n: number
}

interface Columns<S> {
  readonly columns: readonly { readonly name: string; readonly spots: readonly S[] }[]
  /** Names the setting of the table, and says how many of its columns are left out. */
  readonly title: string
}

const MOST_PANELS = 3

/**
 * Returns the columns that a figure can draw, at most the last three, or in words why there are none.
 * @param spotOf adds to a method's accuracy whatever else the figure draws; undefined leaves the method out.
 * @param complete whether the spots of a column make a panel.
 * @param missing what to say if no column does.
 */
export function methodColumns<S extends Spot>(
  configurations: readonly Configuration[],
  spotOf: (spot: Spot, item: Configuration) => S | undefined,
  complete: (spots: readonly S[]) => boolean,
  missing: string,
): Columns<S> | string {
  const [table] = methodTablesOf(configurations, 1).tables
  if (table === undefined)
    return 'No setting that passes the filters has an accuracy of two methods.'
  const columns = table.columns
    .map((name, at) => ({
      name,
      spots: table.rows.flatMap(({ name, cells }) => {
        const item = cells[at]?.configuration
        const spot = item && accuracySpot(item, name)
        return (spot && spotOf(spot, item)) ?? []
      }),
    }))
    .filter(({ spots }) => complete(spots))
  if (columns.length === 0) return missing
  const shown = columns.slice(-MOST_PANELS)
  const rest = columns.length - shown.length
  const others = rest > 0 ? `; ${counted(rest, 'more column')} left out` : ''
  return { columns: shown, title: `${methodTableTitle(table)}${others}` }
}

/** Returns the spots that another one of their method comes before: without a name, nobody could tell them apart. */
export const furtherVariants = <S extends Spot>(spots: readonly S[]): S[] =>
  spots.filter((spot, at) => spots.findIndex(({ method }) => method === spot.method) < at)

/** Returns what a row's name says after the method. */
export const variantOf = ({ name }: Spot): string => name.split(', ').slice(1).join(', ')

function accuracySpot(item: Configuration, name: string): Spot | undefined {
  const found = summaryOf(item, accuracy)
  if (found === undefined) return undefined
  const [low, high] = intervalOf(item, accuracy) ?? [found.mean, found.mean]
  const { mean, n } = found
  return { method: item.method, name, accuracy: 100 * mean, interval: [100 * low, 100 * high], n }
}
