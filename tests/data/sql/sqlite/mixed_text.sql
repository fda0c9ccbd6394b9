SELECT "each".place, count(*) AS count_1 
FROM (SELECT CASE WHEN (driftline_instant(upper(replace("logs"."predictions"."mixed", ',', '.')), 'America/New_York') < 1364814000000000) THEN 0 ELSE CASE WHEN (driftline_instant(upper(replace("logs"."predictions"."mixed", ',', '.')), 'America/New_York') < 1364817600000000) THEN 1 ELSE 2 END END AS place 
FROM "logs"."predictions" 
WHERE driftline_instant(upper(replace("logs"."predictions"."mixed", ',', '.')), 'America/New_York') >= 1364810400000000 AND driftline_instant(upper(replace("logs"."predictions"."mixed", ',', '.')), 'America/New_York') < 1364821200000000) AS "each" GROUP BY "each".place;

