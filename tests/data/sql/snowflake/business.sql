SELECT count(*) / 2.0
 
FROM "logs"."predictions" 
WHERE "logs"."predictions"."ts" >= '1980-01-01 00:00:00+00:00'::TIMESTAMP_TZ AND "logs"."predictions"."ts" < '2200-01-01 00:00:00+00:00'::TIMESTAMP_TZ AND 1 = 0;

SELECT (count(*) / 2.0
) 
FROM "logs"."predictions" 
WHERE "logs"."predictions"."ts" >= '1980-01-01 00:00:00+00:00'::TIMESTAMP_TZ AND "logs"."predictions"."ts" < '2200-01-01 00:00:00+00:00'::TIMESTAMP_TZ AND 1 = 0;

SELECT CAST("logs"."predictions"."we""ird`\; -- drop" AS TEXT) AS "driftline_key", count(*) AS "driftline_rows", (count(*) / 2.0
) 
FROM "logs"."predictions" 
WHERE "logs"."predictions"."ts" >= '2013-04-01 10:00:00+00:00'::TIMESTAMP_TZ AND "logs"."predictions"."ts" < '2013-04-01 13:00:00+00:00'::TIMESTAMP_TZ AND CAST("logs"."predictions"."we""ird`\; -- drop" AS TEXT) IN ('JFK', 'O''Hare \\'' " `%s` %% \\') GROUP BY CAST("logs"."predictions"."we""ird`\; -- drop" AS TEXT) ORDER BY count(*) DESC, collate(CAST("logs"."predictions"."we""ird`\; -- drop" AS TEXT), '')
 LIMIT 2;

