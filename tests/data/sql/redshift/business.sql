SELECT count(*) / 2.0
 
FROM "logs"."predictions" 
WHERE "logs"."predictions"."ts" >= '1980-01-01 00:00:00+00:00'::timestamptz AND "logs"."predictions"."ts" < '2200-01-01 00:00:00+00:00'::timestamptz AND 1 = 0;

SELECT (count(*) / 2.0
) 
FROM "logs"."predictions" 
WHERE "logs"."predictions"."ts" >= '1980-01-01 00:00:00+00:00'::timestamptz AND "logs"."predictions"."ts" < '2200-01-01 00:00:00+00:00'::timestamptz AND 1 = 0;

SELECT CAST("logs"."predictions"."we""ird`\; -- drop" AS VARCHAR(65535)) AS "driftline_key", count(*) AS "driftline_rows", (count(*) / 2.0
) 
FROM "logs"."predictions" 
WHERE "logs"."predictions"."ts" >= '2013-04-01 10:00:00+00:00'::timestamptz AND "logs"."predictions"."ts" < '2013-04-01 13:00:00+00:00'::timestamptz AND CAST("logs"."predictions"."we""ird`\; -- drop" AS VARCHAR(65535)) IN ('JFK', ('O''Hare ' || CHR(92) || ''' " `%s` %% ' || CHR(92) || '')) GROUP BY CAST("logs"."predictions"."we""ird`\; -- drop" AS VARCHAR(65535)) ORDER BY count(*) DESC, CAST("logs"."predictions"."we""ird`\; -- drop" AS VARCHAR(65535)) 
 LIMIT 2;

