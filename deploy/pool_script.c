/*
 * Values come first, as variables, quoted in one place; the statements behind
 * them are the same for everybody.
 */
#include "deploy/pool_script.h"

#include <stdio.h>

#include "common/buf.h"
#include "common/err.h"
#include "deploy/args.h"
#include "deploy/powershell.h"

static int
put_value(struct buf *out, const char *name, const char *value)
{
	int rc;

	buf_addf(out, "$%-12s = ", name);
	rc = powershell_quote(out, value);
	buf_add_str(out, "\n");
	return rc;
}

static int
put_names(struct buf *out, const char *name, const struct args_names *names,
    bool children)
{
	int rc = 0;

	buf_addf(out, "$%-12s = @(", name);
	for (size_t i = 0; i < names->count && rc == 0; i++) {
		buf_add_str(out, i == 0 ? "\n    " : ",\n    ");
		rc = powershell_quote(out, names->v[i]);
		if (children && rc == 0)
			buf_addf(out, ",\n    '*.%s'", names->v[i]);
	}
	buf_add_str(out, "\n)\n");
	return rc;
}

static int
put_routes_of(struct buf *out, const struct pool_script *s)
{
	char collection[300] = "global";

	if (s->registrar_routes != NULL)
		snprintf(collection, sizeof(collection), "service:Registrar:%s",
		    s->registrar_routes);
	return put_value(out, "collection", collection);
}

static int
put_values(struct buf *out, const struct pool_script *s, bool attach)
{
	int rc = put_value(out, "gateway", s->gateway);

	if (rc == 0)
		rc = put_value(out, "application", s->application);
	if (rc == 0)
		rc = put_routes_of(out, s);
	if (rc == 0)
		rc = put_names(out, "domains", s->partners, s->children);
	if (rc == 0 && attach)
		rc = put_names(out, "nodes", s->nodes, false);
	if (rc == 0 && attach)
		rc = put_value(out, "registrar", s->pool);
	if (rc == 0 && attach)
		rc = put_value(out, "site", s->site);
	buf_addf(out, "$%-12s = %u\n", "port", (unsigned)s->port);
	return rc;
}

static const char preface[] =
    "# Run in the Lync Server or Skype for Business Server Management Shell, "
    "as a\n"
    "# member of RTCUniversalServerAdmins (and, for Enable-CsTopology, of "
    "Domain\n"
    "# Admins).\n"
    "# NOT TRIED ON A SERVER: read it before you run it, and keep the script "
    "that\n"
    "# takes it back at hand.\n"
    "# Running it again does no harm.\n"
    "\n"
    "$ErrorActionPreference = 'Stop'\n"
    "\n";

/* A route knows its destination as an object whose shape differs between
 * versions; all of them show the name in one of these two texts. */
static const char route_functions[] =
    "\n"
    "function Get-RoutesOf($domain) {\n"
    "    $all = (Get-CsStaticRoutingConfiguration -Identity $collection "
    "-ErrorAction SilentlyContinue).Route\n"
    "    @($all | Where-Object { $_ -and $_.MatchUri -eq $domain })\n"
    "}\n"
    "\n"
    "function Test-Ours($route) {\n"
    "    \"$($route.Transport) $($route.Element)\" -match "
    "('Fqdn=\"?' + [regex]::Escape($gateway) + '(\"|;|,|\\s|$)')\n"
    "}\n"
    "\n";

/* Before anything is changed. */
static const char attach_checks[] =
    "foreach ($domain in $domains) {\n"
    "    foreach ($route in (Get-RoutesOf $domain)) {\n"
    "        if (-not (Test-Ours $route)) {\n"
    "            throw \"A static route for $domain leads elsewhere; nothing "
    "was changed.\"\n"
    "        }\n"
    "    }\n"
    "    if (Get-CsAllowedDomain -Identity $domain -ErrorAction "
    "SilentlyContinue) {\n"
    "        Write-Warning \"$domain is also an allowed SIP domain: the Edge "
    "Server would compete with this route. Remove it with "
    "Remove-CsAllowedDomain.\"\n"
    "    }\n"
    "    if (Get-CsSipDomain -Identity $domain -ErrorAction "
    "SilentlyContinue) {\n"
    "        Write-Warning \"$domain is a SIP domain of this deployment: its "
    "own users are tried first, the route comes after.\"\n"
    "    }\n"
    "}\n"
    "\n";

static const char attach_topology[] =
    "# Who may speak SIP to the pool.\n"
    "if (-not (Get-CsTrustedApplicationPool -Identity $gateway -ErrorAction "
    "SilentlyContinue)) {\n"
    "    New-CsTrustedApplicationPool -Identity $gateway -ComputerFqdn "
    "$nodes[0] `\n"
    "        -Registrar $registrar -Site $site -RequiresReplication $false `\n"
    "        -ThrottleAsServer $true -TreatAsAuthenticated $true "
    "-OutboundOnly $false `\n"
    "        -Confirm:$false -Force | Out-Null\n"
    "}\n"
    "foreach ($node in $nodes) {\n"
    "    $there = Get-CsTrustedApplicationComputer -Pool $gateway -ErrorAction "
    "SilentlyContinue |\n"
    "        Where-Object { $_.Identity -eq $node -or $_.Fqdn -eq $node }\n"
    "    if (-not $there) {\n"
    "        New-CsTrustedApplicationComputer -Identity $node -Pool $gateway "
    "-Confirm:$false | Out-Null\n"
    "    }\n"
    "}\n"
    "$urn = \"$gateway/urn:application:$application\"\n"
    "if (-not (Get-CsTrustedApplication -Identity $urn -ErrorAction "
    "SilentlyContinue)) {\n"
    "    New-CsTrustedApplication -ApplicationId $application "
    "-TrustedApplicationPoolFqdn $gateway `\n"
    "        -Port $port -Confirm:$false | Out-Null\n"
    "}\n"
    "Enable-CsTopology -Confirm:$false\n"
    "\n";

static const char attach_routes[] =
    "# Where messages for partners go.  A pool that has routes of its own does "
    "not\n"
    "# look at the global ones.\n"
    "if (-not (Get-CsStaticRoutingConfiguration -Identity $collection "
    "-ErrorAction SilentlyContinue)) {\n"
    "    New-CsStaticRoutingConfiguration -Identity $collection "
    "-Confirm:$false | Out-Null\n"
    "}\n"
    "foreach ($domain in $domains) {\n"
    "    if ((Get-RoutesOf $domain).Count -eq 0) {\n"
    "        $route = New-CsStaticRoute -TLSRoute -Destination $gateway -Port "
    "$port `\n"
    "            -MatchUri $domain -UseDefaultCertificate $true\n"
    "        Set-CsStaticRoutingConfiguration -Identity $collection -Route "
    "@{Add=$route} -Confirm:$false\n"
    "    }\n"
    "}\n"
    "\n"
    "Get-CsTrustedApplicationPool -Identity $gateway | Format-List Identity, "
    "Registrar, Computers, Applications\n"
    "(Get-CsStaticRoutingConfiguration -Identity $collection).Route |\n"
    "    Where-Object { $_ -and (Test-Ours $_) } | Format-Table MatchUri, "
    "Enabled, Transport -AutoSize\n";

static const char remove_routes[] =
    "# No new message may come before its way is gone: routes first.\n"
    "foreach ($domain in $domains) {\n"
    "    foreach ($route in (Get-RoutesOf $domain)) {\n"
    "        if (Test-Ours $route) {\n"
    "            Set-CsStaticRoutingConfiguration -Identity $collection -Route "
    "@{Remove=$route} -Confirm:$false\n"
    "        } else {\n"
    "            Write-Warning \"The static route for $domain leads elsewhere; "
    "it stays.\"\n"
    "        }\n"
    "    }\n"
    "}\n";

static const char remove_trust[] =
    "$left = @((Get-CsStaticRoutingConfiguration -Identity $collection "
    "-ErrorAction SilentlyContinue).Route |\n"
    "    Where-Object { $_ -and (Test-Ours $_) })\n"
    "if ($left.Count -gt 0) {\n"
    "    $names = ($left | ForEach-Object { $_.MatchUri }) -join ', '\n"
    "    throw \"Routes to the gateway remain ($names): the gateway stays "
    "trusted. List these domains with --partners and run the new script.\"\n"
    "}\n"
    "$urn = \"$gateway/urn:application:$application\"\n"
    "if (Get-CsTrustedApplication -Identity $urn -ErrorAction "
    "SilentlyContinue) {\n"
    "    Remove-CsTrustedApplication -Identity $urn -Force -Confirm:$false\n"
    "}\n"
    "$others = @(Get-CsTrustedApplication -ErrorAction SilentlyContinue |\n"
    "    Where-Object { $_.TrustedApplicationPoolFqdn -eq $gateway })\n"
    "if ($others.Count -gt 0) {\n"
    "    Write-Warning \"$gateway has further applications; the trusted "
    "application pool stays.\"\n"
    "} elseif (Get-CsTrustedApplicationPool -Identity $gateway -ErrorAction "
    "SilentlyContinue) {\n"
    "    # Takes its computers along.\n"
    "    Remove-CsTrustedApplicationPool -Identity $gateway -Force "
    "-Confirm:$false\n"
    "}\n"
    "Enable-CsTopology -Confirm:$false\n";

int
pool_script_attach(struct buf *out, const struct pool_script *s)
{
	int rc;

	buf_addf(out, "# Attaches the XMPP gateway %s to the pool %s.\n",
	    s->gateway, s->pool);
	buf_add_str(out, preface);
	rc = put_values(out, s, true);
	if (rc < 0)
		return rc;
	buf_add_str(out, route_functions);
	buf_add_str(out, attach_checks);
	buf_add_str(out, attach_topology);
	buf_add_str(out, attach_routes);
	return buf_failed(out) ? ERR_FULL : 0;
}

int
pool_script_remove(struct buf *out, const struct pool_script *s)
{
	int rc;

	buf_addf(out,
	    s->routes_alone
		? "# Takes routes to the XMPP gateway %s away; it stays "
		  "trusted.\n"
		: "# Takes the XMPP gateway %s out of the topology again.\n",
	    s->gateway);
	buf_add_str(out, preface);
	rc = put_values(out, s, false);
	if (rc < 0)
		return rc;
	buf_add_str(out, route_functions);
	buf_add_str(out, remove_routes);
	if (!s->routes_alone)
		buf_add_str(out, remove_trust);
	return buf_failed(out) ? ERR_FULL : 0;
}
