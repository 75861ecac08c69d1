-- If the clock is set back, nominal times come again. A run that took place at such a time before does
-- not keep the one from taking place that is due now.
ALTER TABLE runs ADD COLUMN comes_again INTEGER NOT NULL DEFAULT 0;
DROP INDEX runs_nominal;
CREATE UNIQUE INDEX runs_nominal ON runs (task, nominal)
    WHERE nominal IS NOT NULL AND comes_again = 0;
