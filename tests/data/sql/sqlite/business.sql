SELECT count(*) / 2.0
 
FROM "logs"."predictions" 
WHERE "logs"."predictions"."ts" >= TIMESTAMP WITH TIME ZONE '1980-01-01 00:00:00+00:00' AND "logs"."predictions"."ts" < TIMESTAMP WITH TIME ZONE '2200-01-01 00:00:00+00:00' AND 1 = 0;

SELECT (count(*) / 2.0
) 
FROM "logs"."predictions" 
WHERE "logs"."predictions"."ts" >= TIMESTAMP WITH TIME ZONE '1980-01-01 00:00:00+00:00' AND "logs"."predictions"."ts" < TIMESTAMP WITH TIME ZONE '2200-01-01 00:00:00+00:00' AND 1 = 0;

SELECT CAST("logs"."predictions"."we""ird`\; -- drop" AS TEXT) AS driftline_key, count(*) AS driftline_rows, (count(*) / 2.0
) 
FROM "logs"."predictions" 
WHERE "logs"."predictions"."ts" >= TIMESTAMP WITH TIME ZONE '2013-04-01 10:00:00+00:00' AND "logs"."predictions"."ts" < TIMESTAMP WITH TIME ZONE '2013-04-01 13:00:00+00:00' AND CAST("logs"."predictions"."we""ird`\; -- drop" AS TEXT) IN ('JFK', 'O''Hare \'' " `%s` %% \') GROUP BY CAST("logs"."predictions"."we""ird`\; -- drop" AS TEXT) ORDER BY count(*) DESC, CAST("logs"."predictions"."we""ird`\; -- drop" AS TEXT) COLLATE "BINARY"
 LIMIT 2 OFFSET 0;

