// The dashboard's schema: Grafana's own types, without enumerations and methods, as they are in JSON.
// A panel's options are checked by its type; in Grafana's types for all panels they may be anything.
import type { Dashboard as AnyDashboard, FieldConfig, Panel, RowPanel } from '@grafana/grafana-foundation-sdk/dashboard';
import type { Dataquery } from '@grafana/grafana-foundation-sdk/prometheus';
import type * as stat from '@grafana/grafana-foundation-sdk/stat';
import type * as timeseries from '@grafana/grafana-foundation-sdk/timeseries';

/** As JSON has it: the value of an enumeration instead of its name. */
type Plain<T> = T extends string
  ? `${T}`
  : T extends number | boolean | null | undefined
    ? T
    : T extends (infer One)[]
      ? Plain<One>[]
      : { [Key in keyof T as Key extends `_implements${string}` ? never : Key]: Plain<T[Key]> };

interface PanelOf<Type extends string, Options, Custom> extends Omit<Panel, 'type' | 'targets' | 'options' | 'fieldConfig'> {
  type: Type;
  id: number;
  title: string;
  description: string;
  targets: Dataquery[];
  options: Options;
  fieldConfig: { defaults: Omit<FieldConfig, 'custom'> & { custom?: Custom }; overrides: [] };
}

type AnyPanel = RowPanel | PanelOf<'timeseries', timeseries.Options, timeseries.FieldConfig> | PanelOf<'stat', stat.Options, never>;

export type Dashboard = Plain<Omit<AnyDashboard, 'panels'> & { panels: AnyPanel[] }>;
