# What PowerShell's own Invoke-WSManAction puts into the body of a method's call: prints it.
#   pwsh -File powershell_input.ps1 -Uri RESOURCE -Root METHOD_INPUT -Values '{"NAME": "VALUE"}'
# The cmdlet is Windows' alone, but the package has its assembly on Linux, too: managed code that makes the body
# (WSManHelper.ProcessInput) and COM interfaces, of which one property is asked. A proxy answers that.
param([string] $Uri, [string] $Root, [string] $Values)
$ErrorActionPreference = 'Stop'
$windows = Join-Path (Split-Path $PSHOME) 'win'
$null = [Reflection.Assembly]::LoadFrom((Join-Path $windows 'Microsoft.WSMan.Runtime.dll'))
$management = [Reflection.Assembly]::LoadFrom((Join-Path $windows 'Microsoft.WSMan.Management.dll'))
$helper = $management.GetType('Microsoft.WSMan.Management.WSManHelper')
$process = $helper.GetMethod('ProcessInput', [Reflection.BindingFlags]'Instance, NonPublic, Public')
Add-Type -ReferencedAssemblies 'System.Reflection.DispatchProxy', 'System.Runtime' -TypeDefinition @'
public class Locator : System.Reflection.DispatchProxy {
    public static string Uri;
    protected override object Invoke(System.Reflection.MethodInfo method, object[] arguments) {
        if (method.Name != "get_ResourceUri") { throw new System.NotSupportedException(method.Name); }
        return Uri;
    }
    public static object Make(System.Type type) {
        return typeof(System.Reflection.DispatchProxy).GetMethod("Create", 2, System.Type.EmptyTypes)
            .MakeGenericMethod(type, typeof(Locator)).Invoke(null, null);
    }
}
'@
[Locator]::Uri = $Uri
$locator = [Locator]::Make(($process.GetParameters() | Where-Object Name -eq 'resourceUri').ParameterType)
$table = @{}
(ConvertFrom-Json $Values).PSObject.Properties | ForEach-Object { $table[$_.Name] = $_.Value }
$made = [Runtime.CompilerServices.RuntimeHelpers]::GetUninitializedObject($helper)
[Console]::Out.Write($process.Invoke($made, @($null, $null, 'invoke', $Root, $table, $locator, $null)))
